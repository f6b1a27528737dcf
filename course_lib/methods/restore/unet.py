"""U-Net (Ronneberger, Fischer & Brox, MICCAI 2015) as an image-to-image reconstruction.

x = f(A^H y)             f is a U-Net; the data y are not used again
min_f ||f(A^H y) - x||_1                      trained with pairs of data and truth
"""

from collections.abc import Callable

from torch import Tensor

from ...blocks import OnComplex, UNet
from ...data.sample import Sample
from ...losses import l1
from ...ops.linear import LinearOperator
from ...shapes import Image, KSpace
from ..base import Reconstructor, method


@method(
    "unet",
    ref=10,
    section="2.1",
    learns="database",
    small=dict(width=16, depth=3),
    differs=(
        "real and imaginary part as two channels of the coil-combined image, where fastMRI's baseline takes magnitudes",
        "padded convolutions, instance normalisation and leaky ReLU, as in fastMRI's baseline, not in the 2015 paper",
    ),
)
class UNetReconstruction(Reconstructor):
    def __init__(self, width: int = 32, depth: int = 4, loss: Callable[[Image, Image], Tensor] = l1):
        super().__init__()
        self.f = OnComplex(UNet(width=width, depth=depth))
        self.distance = loss

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        return self.f(A.H(y))

    def loss(self, sample: Sample) -> Tensor:
        return self.distance(self(sample.kspace, sample.A), sample.image)


def claim_the_paper_size_has_the_parameters_of_the_fastmri_baseline(model, sample):
    assert sum(p.numel() for p in UNet(width=32, depth=4, inside=1, outside=1).parameters()) == 7_756_097


def claim_it_never_uses_the_data_again(model, sample):
    y, A = sample.kspace, sample.A
    unseen = (1 - sample.mask) * y.abs().max()
    assert (model(y + unseen, A) - model(y, A)).abs().max() < 1e-4
    assert (A(model(y, A)) - y).abs().max() > 1e-3  # so its output need not agree with the data


def claim_a_pixel_far_away_matters(model, sample):
    y, A = sample.kspace, sample.A
    x = A.H(y).requires_grad_()
    model.f(x)[..., 0, 0].abs().sum().backward()
    assert x.grad is not None and (x.grad.abs() > 0).float().mean() > 0.5


def claim_it_trains_with_the_l1_loss_or_with_the_one_it_is_given(model, sample):
    error = model(sample.kspace, sample.A) - sample.image
    assert abs(model.loss(sample) - error.abs().mean()) < 1e-6
    squared = UNetReconstruction(**model.card.small, loss=lambda x, ref: (x - ref).abs().square().sum())
    squared.load_state_dict(model.state_dict())
    assert abs(squared.loss(sample) / error.abs().square().sum() - 1) < 1e-4


def claim_a_network_of_zeros_returns_nothing(model, sample):
    for parameter in model.parameters():
        parameter.data.zero_()
    assert not model(sample.kspace, sample.A).any()
