"""MoDL: model-based deep learning (Aggarwal, Mani & Jacob, IEEE Trans. Med. Imaging 2019).

min_x ||A x - y||^2 + lam ||x - D(x)||^2      D is a CNN that removes noise and aliasing

z <- D(x)                                     denoise; the same D in every iteration
x <- (A^H A + lam)^-1 (A^H y + lam z)         data consistency, solved by conjugate gradients
"""

import torch
from torch import nn

from ...blocks import OnComplex, cnn
from ...ops.linear import LinearOperator
from ...shapes import Image, KSpace
from ...solve import cg, shifted_inverse
from ..base import Reconstructor, method


@method(
    "modl",
    ref=59,
    section="2.5",
    learns="database",
    thin=True,
    small=dict(iterations=5, width=32),
    differs=(
        "exact data consistency where lines are sampled whole; CG starts at z, not at 0",
        "no batch normalisation in D",
    ),
)
class MoDL(Reconstructor):
    def __init__(
        self, iterations: int = 10, width: int = 64, depth: int = 5, lam: float = 0.05, cg_iterations: int = 10
    ):
        super().__init__()
        self.iterations, self.cg_iterations = iterations, cg_iterations
        self.artefact = OnComplex(cnn(width=width, depth=depth))
        self.lam = nn.Parameter(torch.tensor(lam))

    def D(self, x: Image) -> Image:
        return x - self.artefact(x)

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        x = AHy = A.H(y)
        solve = shifted_inverse(A, self.lam, self.cg_iterations)
        for _ in range(self.iterations):
            z = self.D(x)
            x = solve(AHy + self.lam * z, z)
        return x


def claim_all_iterations_share_one_network(model, sample):
    assert len({sum(p.numel() for p in MoDL(iterations=n, width=16).parameters()) for n in (1, 10)}) == 1


def claim_with_clean_data_and_a_perfect_denoiser_the_truth_stays(model, sample):
    model.D = lambda x: sample.image
    assert (model(sample.A(sample.image), sample.A) - sample.image).abs().max() < 1e-3


def claim_each_step_solves_the_inner_problem(model, sample):
    y, A, lam, model.iterations = sample.kspace, sample.A, model.lam, 1
    assert (A.N(x := model(y, A)) + lam * x - A.H(y) - lam * model.D(A.H(y))).abs().max() < 1e-3


def claim_a_large_lam_trusts_the_denoiser(model, sample):
    model.D, model.iterations, model.lam.data = (lambda x: x + 1), 3, torch.tensor(1e5)
    assert (model(sample.kspace, sample.A) - sample.A.H(sample.kspace) - 3).abs().max() < 1e-2


def claim_without_its_learned_part_it_is_iterated_tikhonov(model, sample):
    A, x, model.D, model.lam.data = sample.A, sample.A.H(sample.kspace), (lambda x: x), torch.tensor(0.3)
    for _ in range(model.iterations):
        x = cg(lambda v: A.N(v) + 0.3 * v, A.H(sample.kspace) + 0.3 * x, iterations=60)
    assert (model(sample.kspace, A) - x).abs().max() < 1e-5


def claim_data_consistency_sees_the_mask(model, sample):
    y, full = sample.kspace, type(sample.A)(1 + 0 * sample.mask, sample.maps)
    assert (model(y, full) - model(y, sample.A)).abs().max() > 1e-2
