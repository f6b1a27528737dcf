"""MoDL: model-based deep learning (Aggarwal, Mani & Jacob, IEEE Trans. Med. Imaging 2019).

min_x ||A x - y||^2 + lam ||x - D(x)||^2      D is a CNN that removes noise and aliasing
z <- D(x)                                     denoise; the same D in every iteration
x <- (A^H A + lam)^-1 (A^H y + lam z)         data consistency, solved by conjugate gradients
"""

import torch
from torch import nn

from ...blocks import OnComplex, cnn
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
        "exact data consistency where lines are sampled whole; CG starts at z, not at 0; no batch normalisation in D",
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

    def D(self, x):
        return x - self.artefact(x)

    def forward(self, y, A):
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
    A, AHy, lam, model.iterations, model.cg_iterations = sample.A, sample.A.H(sample.kspace), model.lam, 1, 60
    x, z = model(sample.kspace, A), model.D(AHy)
    assert (A.N(x) + lam * x - AHy - lam * z).abs().max() < 1e-3


def claim_a_large_lam_trusts_the_denoiser(model, sample):
    y, A, model.lam.data = sample.kspace, sample.A, torch.tensor(1e5)
    model.D, model.iterations = (lambda x: x + 1), 3
    assert (model(y, A) - A.H(y) - 3).abs().max() < 1e-2


def claim_data_consistency_sees_the_mask(model, sample):
    y, A, full = sample.kspace, sample.A, type(sample.A)(1 + 0 * sample.mask, sample.maps)
    assert (model(y, full) - model(y, A)).abs().max() > 1e-2


def claim_without_its_learned_part_it_is_the_proximal_point_algorithm(model, sample):
    A, y = type(sample.A)(sample.mask.double(), sample.maps.to(torch.complex128)), sample.kspace.to(torch.complex128)
    x, AHy, model = A.H(y), A.H(y), model.double()
    model.artefact.forward = torch.zeros_like
    for _ in range(model.iterations):
        x = cg(lambda v: A.N(v) + model.lam * v, AHy + model.lam * x, x, 60)
    assert (model(y, A) - x).abs().max() < 1e-5
