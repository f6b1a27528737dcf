"""Residual learning of aliasing artefacts (Lee, Yoo & Ye, IEEE Int. Symp. Biomed. Imaging 2017).

x = x_zf - f(x_zf),   x_zf = A^H y       f is a U-Net that finds the artefact; the data y are not used again
min_f ||f(x_zf) - (x_zf - x)||^2         trained with pairs: the target is the artefact, not the image
"""

from collections.abc import Callable

from torch import Tensor

from ...blocks import OnComplex, UNet
from ...data.sample import Sample
from ...losses import mse
from ...ops.linear import LinearOperator
from ...shapes import Image, KSpace
from ..base import Reconstructor, method


@method(
    "residual_unet",
    ref=11,
    section="2.1",
    learns="database",
    small=dict(width=16, depth=3),
    differs=(
        "width, depth, instance normalisation, leaky ReLU and average pooling are those of the course's one U-Net, so "
        "that it differs from the direct one in its target alone; the paper has batch normalisation and ReLU",
        "real and imaginary part as two channels of the coil-combined image; each coil had its own artefact there "
        "(recalled)",
    ),
)
class ResidualUNet(Reconstructor):
    def __init__(self, width: int = 32, depth: int = 4, loss: Callable[[Image, Image], Tensor] = mse):
        super().__init__()
        self.f = OnComplex(UNet(width=width, depth=depth))
        self.distance = loss

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        x_zf = A.H(y)
        return x_zf - self.f(x_zf)

    def loss(self, sample: Sample) -> Tensor:
        return self.distance(self(sample.kspace, sample.A), sample.image)


def claim_a_network_of_zeros_returns_the_zero_filled_image(model, sample):
    y, A = sample.kspace, sample.A
    for parameter in model.parameters():
        parameter.data.zero_()
    assert (model(y, A) - A.H(y)).abs().max() < 1e-6


def claim_a_network_that_knows_the_artefact_gives_the_truth(model, sample):
    y, A = sample.kspace, sample.A
    model.f.forward = lambda x: x - sample.image
    assert (model(y, A) - sample.image).abs().max() < 1e-6 and model.loss(sample) < 1e-10


def claim_its_loss_is_the_squared_error_of_the_artefact(model, sample):
    x_zf = sample.A.H(sample.kspace)
    missed = (model.f(x_zf) - (x_zf - sample.image)) * (sample.maps != 0).any(1)
    assert abs(model.loss(sample) - missed.abs().square().mean()) < 1e-5


def claim_the_target_costs_no_parameter(model, sample):
    direct = sum(p.numel() for p in UNet(width=32, depth=4).parameters())
    assert sum(p.numel() for p in ResidualUNet().parameters()) == direct


def claim_it_sees_the_data_through_one_adjoint_only(model, sample):
    y, A = sample.kspace, sample.A
    unseen = (1 - sample.mask) * y.abs().max()
    assert (model(y + unseen, A) - model(y, A)).abs().max() < 1e-4
    assert (A(model(y, A)) - y).abs().max() > 1e-3  # so its output need not agree with the data
