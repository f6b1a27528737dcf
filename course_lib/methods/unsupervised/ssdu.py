"""SSDU: self-supervision via data undersampling (Yaman, Hosseini, Moeller, Ellermann, Ugurbil & Akcakaya, MRM 2020).

Omega = Theta + Lambda      what was measured, split anew at every step; to reconstruct, all of it is seen
z <- D(x)                   denoise; the same D in every iteration
x <- (A^H A + lam)^-1 (A^H y + lam z)          A, y: on Theta
min_D (||u - v|| / ||v|| + ||u - v||_1 / ||v||_1) / 2       u = A x, v = y: on Lambda, which x never saw
"""

import torch
from torch import nn

from ...blocks import OnComplex, resnet, silent
from ...losses import normalised
from ...ops import Sense
from ...sampling import split
from ...solve import alternate, cg
from ..base import Reconstructor, card, method


@method(
    "ssdu",
    ref=80,
    section="3",
    learns="database",
    small=dict(iterations=4, width=24, blocks=1, lines=True, focus=0.0),
    differs=(
        "small: whole lines are held out, all alike; the paper holds out points, more of them near the centre",
        "a new split at every step, the paper draws one for each slice; D(x) = x - network(x); lam is kept positive",
        "two convolutions with biases in a block, activation first; the released code uses one twice (592,129 in all)",
    ),
)
class SSDU(Reconstructor):
    def __init__(
        self, iterations: int = 10, width: int = 64, blocks: int = 15, rho: float = 0.4, focus: float = 4,
        lines: bool = False, lam: float = 0.05,
    ):  # fmt: skip
        super().__init__()
        self.iterations, self.rho, self.focus, self.lines = iterations, rho, focus, lines
        self.artefact, self.log_lam = OnComplex(silent(resnet(width, blocks))), nn.Parameter(torch.tensor(lam).log())

    def D(self, x):
        return x - self.artefact(x)

    def forward(self, y, A):
        return alternate(self.D, A, y, self.log_lam.exp(), self.iterations)

    def loss(self, sample):
        y, maps = sample.kspace, sample.maps
        Theta, Lambda = split(sample.mask, 1 if self.lines else y.shape[-2], self.rho, self.focus)
        x = self(Theta * y, Sense(Theta, maps))
        return normalised(Sense(Lambda, maps)(x), Lambda * y)


def claim_theta_and_lambda_are_disjoint_and_make_up_omega_and_the_centre_stays_in_theta(model, sample):
    for model.lines, model.rho in ((True, 0.4), (False, 0.4), (True, 0.9)):
        _, Theta, Lambda = _seen(model, sample)
        assert (Theta + Lambda == sample.mask).all() and Theta.expand(1, 1, 32, 32)[..., 14:18, 14:18].all()


def claim_the_network_sees_theta_alone_and_nobody_the_truth(model, sample):
    y, Theta, Lambda = _seen(model, sample)
    assert Lambda.any() and not (Lambda * y).any() and torch.equal(y, Theta * sample.kspace)


def claim_it_reconstructs_as_modl_does(model, sample):
    y, A, modl = sample.kspace, sample.A, card("modl").build(iterations=4, width=4)
    modl.D, model.log_lam.data = model.D, modl.lam.log()  # pyright: ignore
    assert (model(y, A) - modl(y, A)).abs().max() < 1e-4


def claim_without_its_learned_part_it_is_regularised_sense(model, sample):
    y, A, model.D = sample.kspace, sample.A, torch.zeros_like
    assert (model(y, A) - cg(lambda x: A.N(x) + 0.05 * x, A.H(y), iterations=100)).abs().max() < 1e-3


def _seen(model, sample):  # what the network is given: data and mask; and where the loss looks at the data
    y, seen = sample.kspace.clone().requires_grad_(), []
    model.forward = lambda y, A: seen.extend((y.detach(), A.mask)) or sample.image
    model.loss(type(sample)(y, sample.mask, sample.maps, sample.image * torch.nan)).backward()
    return *seen, (y.grad.abs().sum(1, keepdim=True) > 0).float()
