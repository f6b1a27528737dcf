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
from ...solve import shifted_inverse
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
    size = [sum(p.numel() for p in MoDL(iterations=n, width=16).parameters()) for n in (1, 10)]
    assert size[0] == size[1]


def claim_with_clean_data_and_a_perfect_denoiser_the_truth_stays(model, sample):
    model.D = lambda x: sample.image
    assert (model(sample.A(sample.image), sample.A) - sample.image).abs().max() < 1e-3


def claim_each_step_solves_the_inner_problem(model, sample):
    y, A = sample.kspace, sample.A
    model.iterations, model.cg_iterations = 1, 60
    z, lam = model.D(A.H(y)), model.lam
    x = model(y, A)
    assert (A.N(x) + lam * x - A.H(y) - lam * z).abs().max() < 1e-3


def claim_a_large_lam_trusts_the_denoiser(model, sample):
    y, A = sample.kspace, sample.A
    model.lam.data.fill_(1e5)
    model.D, model.iterations = (lambda x: x + 1), 3
    assert (model(y, A) - A.H(y) - 3).abs().max() < 1e-2


def claim_data_consistency_sees_the_mask(model, sample):
    y, A = sample.kspace, sample.A
    full = type(A)(1 + 0 * A.mask, A.maps)
    assert (model(y, full) - model(y, A)).abs().max() > 1e-2
