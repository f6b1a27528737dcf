"""ISTA-Net: iterative shrinkage and thresholding with learned transforms (Zhang & Ghanem, CVPR 2018).

min_x 1/2 ||A x - y||^2 + lam ||D(x)||_1      D: conv - ReLU - conv, learned, where a wavelet transform stood
r <- x - rho A^H (A x - y)                    a step towards the data
x <- Dt(soft(D(r), theta))                    Dt: conv - ReLU - conv; the loss asks that Dt(D(r)) = r, too
"""

from typing import Any

import torch
from torch import nn

from ...blocks import LearnedTransform
from ...losses import mse
from ...solve import ista, safe_step, soft
from ..base import Reconstructor, method


@method(
    "ista_net",
    ref=58,
    section="2.5",
    learns="database",
    thin=True,
    small=dict(width=16),
    differs=(
        "complex images as two channels, 176 274 parameters; the paper's real images take 171 090",
        "many coils; it starts at A^H y with rho = 1, the released code at a linear fit with rho = 0.5",
        "D and Dt pass the image on at first, beside random features, so that training starts at ISTA",
    ),
)
class ISTANet(Reconstructor):
    def __init__(self, phases: int = 9, width: int = 32, gamma: float = 0.01, channels: int = 2):
        super().__init__()
        self.gamma = gamma
        self.transforms: Any = nn.ModuleList(LearnedTransform(width, channels) for _ in range(phases))
        self.rho, self.theta = nn.Parameter(torch.ones(phases)), nn.Parameter(torch.full((phases,), 0.01))

    def forward(self, y, A):
        return self.unroll(y, A, A.H(y))[0]

    def unroll(self, y, A, x):
        step, AHy, asymmetry = safe_step(A, x), A.H(y), x.real.new_zeros(())
        for phase, rho, theta in zip(self.transforms, self.rho, self.theta):
            r = x - rho * step * (A.N(x) - AHy)
            h = phase.D(r)
            x, asymmetry = phase.Dt(soft(h, theta)), asymmetry + mse(phase.Dt(h), r)
        return x, asymmetry

    def loss(self, sample):
        x, asymmetry = self.unroll(sample.kspace, sample.A, sample.A.H(sample.kspace))
        return mse(x, sample.image) + self.gamma * asymmetry


def claim_nine_phases_with_own_weights_have_171090_parameters_on_real_images(model, sample):
    assert [sum(p.numel() for p in ISTANet(n, channels=1).parameters()) for n in (9, 1)] == [171_090, 171_090 / 9]


def claim_the_loss_asks_that_Dt_undoes_D_before_anything_is_shrunk(model, sample):
    x, r, _ = sample.image, sample.A.H(sample.kspace), _without_network(model, rho=0.0, theta=9.0, factor=3)
    assert (model.loss(sample) - mse(0 * x, x) - model.gamma * mse(3 * r, r)).abs() < 1e-6  # then x is 0


def claim_missing_samples_stay_as_they_are_in_the_step_towards_the_data(model, sample):
    A, x = type(sample.A)(sample.mask, torch.ones_like(sample.maps[:, :1])), sample.image.mT
    _without_network(model, rho=0.3, theta=0.0)
    change = type(A)(1 + 0 * A.mask, A.maps)(model.unroll(A(sample.image), A, x)[0] - x)
    assert ((1 - A.mask) * change).abs().max() < 1e-5 < change.abs().max()


def claim_without_its_learned_part_it_is_ista(model, sample):
    y, A, _ = sample.kspace, sample.A, _without_network(model, rho=0.7, theta=0.02)
    x = ista(lambda x: A.H(A(x) - y), lambda v, step: soft(v, 0.02), A.H(y), 0.7, iterations=9)
    assert (model(y, A) - x).abs().max() < 1e-5


def _without_network(model, rho, theta, factor=1):
    model.rho.data[:], model.theta.data[:] = rho, theta
    for transform in model.transforms:
        transform.D, transform.Dt = (lambda r: r), (lambda h: factor * h)
