"""Variational network: gradient descent with a learned regulariser (Hammernik et al., Magn. Reson. Med. 2018).

min_x lam/2 ||A x - y||^2 + sum_i phi_i(D_i x) / n       D_i: n complex filters of mean 0 and norm 1; D_i x is real

x <- x - lam A^H (A x - y) - sum_i D_i^T phi_i'(D_i x) / n       phi_i': 31 Gaussian bumps (RBFs) with learned heights
"""

import torch
from torch import nn

from ...blocks import FieldsOfExperts
from ...solve import ista, safe_step
from ..base import Reconstructor, method


@method(
    "varnet",
    ref=55,
    section="2.5",
    learns="database",
    small=dict(filters=24, kernel=7),
    differs=(
        "norm 1 by construction; the paper projects onto norm 1 or less after each step, and lam onto lam >= 0",
        "the sum over filters is divided by their number, as in the released code, which has 24 of them",
        "Muon instead of inertial proximal gradients; zeros around the image instead of its mirror image",
    ),
)
class VarNet(Reconstructor):
    def __init__(self, steps: int = 10, filters: int = 48, kernel: int = 11):
        super().__init__()
        self.regularisers = nn.ModuleList(FieldsOfExperts(filters, kernel) for _ in range(steps))
        self.lam = nn.Parameter(torch.ones(steps))

    def forward(self, y, A):
        x = AHy = A.H(y)
        step = safe_step(A, x)
        for lam, regulariser in zip(self.lam, self.regularisers):
            x = x - lam * step * (A.N(x) - AHy) - regulariser(x)
        return x

    def loss(self, sample):
        return (self(sample.kspace, sample.A).abs() - sample.image.abs()).square().mean()


def claim_ten_steps_with_own_weights_have_131050_parameters(model, sample):
    counts = [sum(p.numel() for p in VarNet(*sizes).parameters()) for sizes in ((10,), (1,), (10, 24))]
    assert counts == [131_050, 13_105, 65_530]


def claim_filters_have_mean_0_and_norm_1_after_any_step_of_an_optimiser(model, sample):
    model.loss(sample).backward()
    torch.optim.SGD(model.parameters(), 1e4).step()
    for D in (regulariser.D() for regulariser in model.regularisers):
        assert D.mean((-2, -1)).abs().max() < 1e-6 and (D.square().sum((1, 2, 3)) - 1).abs().max() < 1e-5


def claim_the_regulariser_is_the_gradient_of_an_energy(model, sample):
    u, v = sample.A.H(sample.kspace), sample.image.roll(3, -1)  # then its derivative is symmetric
    x = sample.image.clone().requires_grad_()
    Ju, Jv = (torch.autograd.grad(model.regularisers[0](x), x, w)[0] for w in (u, v))
    assert (torch.vdot(Ju.flatten(), v.flatten()) - torch.vdot(u.flatten(), Jv.flatten())).real.abs() < 1e-5


def claim_missing_samples_stay_as_they_are_in_the_data_term(model, sample):
    A, x = type(sample.A)(sample.mask, torch.ones_like(sample.maps[:, :1])), sample.image
    everywhere = type(A)(1 + 0 * A.mask, A.maps)
    for regulariser in model.regularisers:
        regulariser.forward = lambda x: -everywhere.H((1 - A.mask) * everywhere(sample.image)) / 10
    assert (model(A(x), A) - x).abs().max() < 1e-5 < (A.H(A(x)) - x).abs().max()


def claim_without_its_learned_part_it_is_gradient_descent(model, sample):
    y, A = sample.kspace, sample.A
    for regulariser in model.regularisers:
        regulariser.slopes.w.data.fill_(0.0)
    model.lam.data.fill_(0.8)
    x = ista(lambda x: A.H(A(x) - y), lambda v, step: v, A.H(y), 0.8, iterations=10)
    assert (model(y, A) - x).abs().max() < 1e-5
