"""W-Net: a hybrid frequency-domain/image-domain network (Souza & Frayne, SIBGRAPI 2019).

min_(f, g) ||x - x*||/||x*|| + eta ||k - k*||/||k*||      x*, k*: the true image and its k-space

k <- y + f(y)                 f is a U-Net in k-space: it fills in what was not acquired
x <- g(S^H F^H k)             g is a U-Net on the image; the data are not used again
"""

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
        "the course's U-Net: 2 convolutions a scale, normalised, 48 to 384 channels; the paper's has 3, 48 to 256",
    ),
    mixes_rows=True,
)
class WNet(Reconstructor):
    def __init__(self, width: int = 48, depth: int = 3, coils: int = 1, eta: float = 0.01 / 0.99):
        super().__init__()
        self.eta = eta
        self.f = OnCoils(UNet(width, depth, inside=2 * coils, outside=2 * coils), coils)
        self.g = OnComplex(UNet(width, depth))

    def kspace(self, y: KSpace) -> KSpace:
        return y + self.f(y)

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        k = self.kspace(y)
        return self.g(combine(k, A))

    def loss(self, sample: Sample) -> Tensor:
        k, truth = self.kspace(sample.kspace), (Fourier() @ Coils(sample.maps))(sample.image)
        return _far(self.g(combine(k, sample.A)), sample.image) + self.eta * _far(k, truth)


def _far(x: Tensor, truth: Tensor) -> Tensor:
    return ((x - truth).flatten(1).norm(dim=1) / truth.flatten(1).norm(dim=1)).mean()


def claim_the_missing_samples_that_f_fills_in_reach_the_image(model, sample):
    y, A = sample.kspace, sample.A
    before = model(y, A)
    model.f.register_forward_hook(lambda module, given, k: k + (1 - sample.mask) * y.abs().max())
    assert (model(y, A) - before).abs().max() > 1e-2


def claim_without_f_it_is_the_image_network_on_the_zero_filled_image(model, sample):
    y, A = sample.kspace, sample.A
    model.f.net.last.weight.data.zero_(), model.f.net.last.bias.data.zero_()
    model.g = nn.Identity()
    assert (model(y, A) - A.H(y)).abs().max() < 1e-4  # with its phase


def claim_a_sample_is_filled_in_from_all_coils(model, sample):
    y = sample.kspace
    other = y.clone()
    other[:, 0] = 0
    assert (model.kspace(other) - model.kspace(y))[:, 1].abs().max() > 1e-3


def claim_the_loss_looks_at_kspace_too(model, sample):
    with_k, model.eta = model.loss(sample), 0
    k, truth = model.kspace(sample.kspace), (Fourier() @ Coils(sample.maps))(sample.image)
    assert abs(with_k - model.loss(sample) - 0.01 / 0.99 * (k - truth).norm() / truth.norm()) < 1e-5
