"""Residual U-Net for super-resolution of whole-heart scans (Steeden et al., J. Cardiovasc. Magn. Reson. 2020).

y = M F S x              M keeps the centre of k-space: half of the phase-encoding lines, say
m = |A^H y|              the interpolated magnitude image of low resolution
x = m + f(m)             f is a U-Net: what it finds is the fine structure that m lacks
min_f || m + f(m) - |x| ||^2                  trained with pairs that differ in their resolution alone
"""

import torch
from torch import Tensor

from ...blocks import UNet
from ...data.sample import Sample
from ...ops.linear import LinearOperator
from ...sampling import centre
from ...shapes import Image, KSpace
from ..base import Reconstructor, method


@method(
    "sr_unet",
    ref=27,
    section="2.1",
    learns="database",
    small=dict(width=16, depth=3),
    sampling=lambda width, seed: centre(width, 2),
    differs=(
        "dims=2: slices, of low resolution along one direction; the paper has volumes (dims=3) and halves two",
        "width 32, depth 3 and the squared error are recalled: the paper's text was not at hand",
        "instance normalisation, leaky ReLU and average pooling, as everywhere in the course",
        "coils are combined with their maps, not by root sum of squares",
    ),
)
class SRUNet(Reconstructor):
    def __init__(self, width: int = 32, depth: int = 3, dims: int = 2):
        super().__init__()
        self.f = UNet(width=width, depth=depth, inside=1, outside=1, dims=dims).silent()

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        m = A.H(y).abs().unsqueeze(1)
        x = m + self.f(m)
        return x.squeeze(1) + 0j

    def loss(self, sample: Sample) -> Tensor:
        return (self(sample.kspace, sample.A).real - sample.image.abs()).square().mean()


def claim_it_starts_as_the_interpolated_magnitudes(model, sample):
    y, A = sample.kspace, sample.A
    assert (SRUNet(**model.card.small)(y, A) - A.H(y).abs()).abs().max() < 1e-5


def claim_a_network_that_knows_the_fine_structure_gives_the_magnitude_of_the_truth(model, sample):
    model.f.forward = lambda m: sample.image.abs()[:, None] - m
    assert (model(sample.kspace, sample.A) - sample.image.abs()).abs().max() < 1e-5 and model.loss(sample) < 1e-10


def claim_neither_image_nor_loss_knows_the_phase(model, sample):
    y, A = sample.kspace, sample.A
    assert (model(y * torch.tensor(1j), A) - model(y, A)).abs().max() < 1e-4 and not model(y, A).imag.any()
    assert model.loss(sample) == model.loss(Sample(y, sample.mask, sample.maps, sample.image.conj()))


def claim_with_three_axes_a_slice_learns_from_its_neighbours(model, sample):
    torch.manual_seed(0)
    volume = torch.rand(1, 1, 8, 16, 16)
    f = SRUNet(width=4, depth=1, dims=3).f
    torch.nn.init.normal_(f.last.get_parameter("weight"))
    changed = volume.clone()
    changed[:, :, 3] = 0
    assert (f(changed) - f(volume))[:, :, 4].abs().max() > 1e-3
