"""K-space deep learning (Han, Sunwoo & Ye, IEEE Trans. Med. Imaging 2020): ALOHA with a U-Net for its low rank.

min_f sum_c ||F^H k_c - x_c||^2      x_c: the true images of the coils; w: the distance from the centre of k-space

k <- y + f(w y) / w                  weighted as ALOHA's differences, f adds what is missing, weights taken off
x <- S^H F^H k                       to the image; nothing puts the data back
"""

import torch
from torch import Tensor, nn

from ...blocks import OnCoils, UNet
from ...data.sample import Sample
from ...losses import mse
from ...ops import Coils, Fourier, LinearOperator
from ...shapes import Image, KSpace
from ..base import Reconstructor, combine, method


@method(
    "kspace_unet",
    ref=34,
    section="2.2",
    learns="database",
    small=dict(width=16, depth=3, coils=16),
    differs=(
        "coils are combined with their maps; the paper takes the root of the sum of squares, which has no phase",
        "the course's U-Net: instance normalisation, learned up-sampling; the authors' code: batch normalisation, none",
        "the last layer starts at zero, so training starts at the zero-filled image; Cartesian samples only",
    ),
    mixes_rows=True,
)
class KSpaceUNet(Reconstructor):
    def __init__(self, width: int = 64, depth: int = 4, coils: int = 8, power: float = 1.0):
        super().__init__()
        self.power = power  # of the distance; 0: no weights
        f = UNet(width, depth, 2 * coils, 2 * coils)
        for p in f.last.parameters():
            nn.init.zeros_(p)
        self.f = OnCoils(f, coils)

    def kspace(self, y: KSpace) -> KSpace:
        w = distance(y) ** self.power
        return y + self.f(w * y) * torch.where(w > 0, 1 / w, 0)  # where w is 0, in the centre, y stays

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        return combine(self.kspace(y), A)

    def loss(self, sample: Sample) -> Tensor:
        return mse(Fourier().H(self.kspace(sample.kspace)), Coils(sample.maps)(sample.image))


def distance(k: KSpace) -> Tensor:
    """Of every sample (height, width) from the centre of k-space, which is 0; 1 at the middle of each side."""
    v, u = (2 * (torch.arange(n, device=k.device) - n // 2) / n for n in k.shape[-2:])
    return (v[:, None] ** 2 + u**2).sqrt()


def claim_the_missing_samples_that_f_fills_in_reach_the_image(model, sample):
    y, A = sample.kspace, sample.A
    before = model(y, A)
    model.f.register_forward_hook(lambda module, given, k: k + (1 - sample.mask) * y.abs().max())
    assert (model(y, A) - before).abs().max() > 1e-2


def claim_a_perfect_f_gives_the_truth(model, sample):
    truth, w = (Fourier() @ Coils(sample.maps))(sample.image), distance(sample.kspace)
    model.f.register_forward_hook(lambda module, given, k: w * truth - given[0])  # given: weighted data
    assert (model(sample.kspace, sample.A) - sample.image).abs().max() < 1e-3


def claim_f_is_blind_to_the_centre_which_stays_as_measured(model, sample):
    y, more = sample.kspace, 0 * sample.kspace
    more[..., y.shape[-2] // 2, y.shape[-1] // 2] = 5
    assert (model.kspace(y + more) - model.kspace(y) - more).abs().max() < 1e-4


def claim_untrained_it_is_the_zero_filled_image(model, sample):
    y, A = sample.kspace, sample.A
    assert (type(model)(width=4, depth=1, coils=4)(y, A) - A.H(y)).abs().max() < 1e-4
