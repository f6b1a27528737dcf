"""SRCNN: super-resolution by three convolutions (Dong, Loy, He & Tang, IEEE Trans. Pattern Anal. Mach. Intell. 2016).

y = M F S x                                   M keeps the centre of k-space: a scan of low resolution
x = f(A^H y)                                  A^H y: interpolated to the full size, as k-space filled up with zeros
f(u) = W3 * relu(W2 * relu(W1 * u + b1) + b2) + b3      W1 9x9: patches, W2 1x1: features, W3 5x5: pixels
min_f ||f(A^H y) - x||^2                      trained with pairs that differ in their resolution alone
"""

import torch

from ...blocks import OnComplex, srcnn
from ...ops.linear import LinearOperator
from ...sampling import centre
from ...shapes import Image, KSpace
from ..base import Reconstructor, method


@method(
    "srcnn",
    ref=21,
    section="2.1",
    learns="database",
    sampling=lambda width, seed: centre(width, 2),
    differs=(
        "low resolution by taking lines away in k-space, not by blurring and bicubic interpolation",
        "real and imaginary part as two channels of the coil-combined image; the paper's is brightness alone",
        "zeros around the image, so that it keeps its size; the paper's loses a margin",
        "not started from weights trained on photographs; Muon, not gradient descent with a slower last layer",
    ),
)
class SRCNN(Reconstructor):
    def __init__(self, width: tuple[int, int] = (64, 32)):
        super().__init__()
        self.f = OnComplex(srcnn(2, width))

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        return self.f(A.H(y))


def claim_with_one_channel_it_has_8129_parameters(model, sample):
    assert sum(p.numel() for p in srcnn(1).parameters()) == 8_129


def claim_a_pixel_sees_six_pixels_far_and_no_further(model, sample):
    x = torch.zeros_like(sample.image).requires_grad_()
    model.f(x)[..., 16, 16].abs().sum().backward()
    assert x.grad is not None and (seen := torch.nonzero(x.grad[0])).amin() == 10 and seen.amax() == 22  # 4 + 0 + 2


def claim_it_sees_the_interpolated_image_and_never_the_data_again(model, sample):
    y, A = sample.kspace, sample.A
    unseen = (1 - sample.mask) * y.abs().max()
    assert (model(y + unseen, A) - model(y, A)).abs().max() < 1e-4
    assert (model(y, A) - model.f(A.H(y))).abs().max() < 1e-5
    assert (A(model(y, A)) - y).abs().max() > 1e-3  # so what was measured need not stay


def claim_what_it_adds_beyond_the_measured_centre_comes_from_its_relus(model, sample):
    beyond = torch.fft.fftfreq(32).abs() > 0.25
    low = torch.fft.ifft2(torch.fft.fft2(sample.image) * ~beyond)
    tiled = lambda: model.f(low.repeat(1, 3, 3))[..., 32:64, 32:64]  # without borders
    added = (torch.fft.fft2(tiled()) * beyond).norm()
    model.f.net[1] = model.f.net[3] = torch.nn.Identity()
    assert (torch.fft.fft2(tiled()) * beyond).norm() < 1e-3 * added


def claim_its_loss_is_the_squared_error(model, sample):
    error = model(sample.kspace, sample.A) - sample.image
    assert abs(model.loss(sample) - error.abs().square().mean()) < 1e-6
