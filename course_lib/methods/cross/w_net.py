"""W-Net: a hybrid frequency-domain/image-domain network (Souza & Frayne, SIBGRAPI 2019).

min_(f, g) ||x - x*||/||x*|| + eta ||k - k*||/||k*||      x*, k*: the true image and its k-space

k <- y + f(y)                 f is a U-Net in k-space: it fills in what was not acquired
x <- S^H F^H k                to the image, coils combined
x <- x + g(x)                 g is a U-Net on the image; the data are not used again
"""

import torch
from torch import Tensor, nn

from ...blocks import OnCoils, OnComplex, UNet
from ...data.sample import Sample
from ...ops.linear import LinearOperator
from ...ops.sense import Coils, Fourier
from ...shapes import Image, KSpace
from ..base import Reconstructor, combine, method


@method(
    "w_net",
    ref=46,
    section="2.4",
    learns="database",
    small=dict(width=12, depth=3, coils=16),
    differs=(
        "all coils are channels of f and are combined with their maps before g; the paper has one coil",
        "g sees real and imaginary part; the paper takes the magnitude, which forgets the phase",
        "g adds to its input, and both last layers start at zero, so training starts at the zero-filled image",
        "the course's U-Net: 2 convolutions a scale, normalised, 48 to 384 channels; the paper's has 3, 48 to 256",
    ),
    mixes_rows=True,
)
class WNet(Reconstructor):
    def __init__(self, width: int = 48, depth: int = 3, coils: int = 1, eta: float = 0.01 / 0.99):
        super().__init__()
        self.eta = eta
        f, g = UNet(width, depth, 2 * coils, 2 * coils), UNet(width, depth)
        for p in (*f.last.parameters(), *g.last.parameters()):
            nn.init.zeros_(p)
        self.f, self.g = OnCoils(f, coils), OnComplex(g)

    def image(self, k: KSpace, A: LinearOperator) -> Image:
        x = combine(k, A)
        return x + self.g(x)

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        k = y + self.f(y)
        return self.image(k, A)

    def loss(self, s: Sample) -> Tensor:
        k, truth = s.kspace + self.f(s.kspace), (Fourier() @ Coils(s.maps))(s.image)
        return _far(self.image(k, s.A), s.image) + self.eta * _far(k, truth)


def _far(x: Tensor, truth: Tensor) -> Tensor:
    return ((x - truth).flatten(1).norm(dim=1) / truth.flatten(1).norm(dim=1)).mean()


def claim_the_missing_samples_that_f_fills_in_reach_the_image(model, sample):
    y, A = sample.kspace, sample.A
    before = model(y, A)
    model.f.register_forward_hook(lambda module, given, k: k + (1 - sample.mask) * y.abs().max())
    assert (model(y, A) - before).abs().max() > 1e-2


def claim_untrained_it_is_the_zero_filled_image_with_its_phase(model, sample):
    y, A = sample.kspace, sample.A
    assert (WNet(width=4, depth=1, coils=4)(y, A) - A.H(y)).abs().max() < 1e-4


def claim_a_sample_is_filled_in_from_all_coils(model, sample):
    y, (first, *_) = sample.kspace, torch.eye(sample.kspace.shape[1])
    assert (model.f(y * (1 - first[:, None, None])) - model.f(y))[:, 1].abs().max() > 1e-3


def claim_the_loss_looks_at_kspace_too(model, sample):
    with_k, model.eta = model.loss(sample), 0
    k, truth = sample.kspace + model.f(sample.kspace), (Fourier() @ Coils(sample.maps))(sample.image)
    assert abs(with_k - model.loss(sample) - 0.01 / 0.99 * (k - truth).norm() / truth.norm()) < 1e-5
