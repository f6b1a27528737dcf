"""3-D U-Net in space and time (Hauptmann, Arridge, Lucka, Muthurangu & Steeden, Magn. Reson. Med. 2019).

m = |A^H y|              magnitudes of the gridded film, one heartbeat of real-time radial frames
x = m + f(m)             f is a U-Net whose kernels and poolings run over height, width and time
min_f || |f-corrected| - |x| ||^2             trained with pairs made from fully sampled breath-hold films
"""

import torch
from torch import Tensor

from ...blocks import UNet
from ...data.sample import Sample
from ...ops import LinearOperator, Radial, RadialSense
from ...sampling import golden_angle
from ...shapes import Image, KSpace
from ..base import Reconstructor, method


@method(
    "unet_3d",
    ref=14,
    section="2.1",
    learns="database",
    small=dict(width=8, depth=2),
    extra=(6,),
    differs=(
        "width 32, depth 3 and the squared error are recalled: the paper's text was not at hand",
        "instance normalisation, leaky ReLU and average pooling, as everywhere in the course",
        "coils are combined with their maps, not by root sum of squares",
    ),
)
class UNet3D(Reconstructor):
    def __init__(self, width: int = 32, depth: int = 3):
        super().__init__()
        self.f = UNet(width=width, depth=depth, inside=1, outside=1, dims=3).silent()

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        m = A.H(y).abs().unsqueeze(1)
        x = m + self.f(m)
        return x.squeeze(1) + 0j

    def loss(self, sample: Sample) -> Tensor:
        return (self(sample.kspace, sample.A).real - sample.image.abs()).square().mean()


def claim_the_phase_is_thrown_away(model, sample):
    y, A = sample.kspace, sample.A
    x, turned = model(y, A), model(y * torch.polar(torch.ones(()), torch.arange(6.0)[:, None, None]), A)
    assert (turned - x).abs().max() < 1e-4 and not x.imag.any()
    conjugated = Sample(y, sample.mask, sample.maps, sample.image.conj())
    assert model.loss(sample) == model.loss(conjugated)  # nor does the loss know it


def claim_a_network_of_zeros_returns_the_gridded_magnitudes(model, sample):
    for parameter in model.parameters():
        parameter.data.zero_()
    assert (model(sample.kspace, sample.A) - sample.A.H(sample.kspace).abs()).abs().max() < 1e-5


def claim_a_frame_learns_from_the_others(model, sample):
    y, A = sample.kspace, sample.A
    changed = y.clone()
    changed[:, :, 0] *= 2
    assert (model(changed, A) - model(y, A))[:, 1].abs().max() > 1e-3


def claim_kernels_and_transposed_kernels_have_a_third_axis(model, sample):
    size = [sum(p.numel() for p in UNet(4, 1, 1, 1, dims=dims).parameters()) for dims in (2, 3)]
    three, two = (4 + 16 + 32 + 64 + 32 + 16), 32  # channel pairs of 3 x 3 (x 3) kernels, of 2 x 2 (x 2) ones
    assert size == [9 * three + 4 * two + 5, 27 * three + 8 * two + 5]


def claim_along_spokes_it_starts_from_the_gridded_film(model, sample):
    turning = golden_angle(6 * 5, 64, 7).unflatten(0, (6, 5))
    A = RadialSense(Radial(turning, (32, 32)), sample.maps[:, :, :1])
    y = A(sample.image)
    m = A.H(y).abs()
    assert (model(y, A) - m - model.f(m[:, None])[:, 0]).abs().max() < 1e-4 * m.max()
