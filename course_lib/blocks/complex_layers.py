"""Layers of complex-valued networks (Trabelsi et al., ICLR 2018; in MRI Virtue, Yu & Lustig, ICIP 2017; Cole et al.,
Magn. Reson. Med. 2021): complex (batch, channel, height, width) in, complex out.

(a + i b) * (w_r + i w_i) = (a w_r - b w_i) + i (a w_i + b w_r)       * convolves

Two real kernels do the work of four: a two-channel network may give the real part other weights than the imaginary
one, a complex network may not. It can scale and turn a number, nothing else.
"""

import math
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, conv_transpose2d

from ..errors import CourseError
from .complex import as_complex, as_real
from .layers import Layers


def blocks(real: Tensor, imag: Tensor, outside: int) -> Tensor:
    """The complex kernel as a real one from (real, imaginary) to (real, imaginary): [[w_r, -w_i], [w_i, w_r]].

    outside: the axis of the output channels, 0 or 1; the input channels stand on the other one.
    """
    inside = 1 - outside
    return torch.cat([torch.cat([real, -imag], inside), torch.cat([imag, real], inside)], outside)


class ComplexConv(nn.Module):
    """Convolution with a complex kernel, without bias: what is turned by a phase comes out turned by it."""

    def __init__(self, inside: int, outside: int, kernel: int = 3):
        super().__init__()
        self.real = nn.Parameter(torch.empty(outside, inside, kernel, kernel))
        self.imag = nn.Parameter(torch.empty(outside, inside, kernel, kernel))
        start(self.real, self.imag, inside * kernel**2)

    def forward(self, x: Tensor) -> Tensor:
        channels = as_real(x).flatten(1, 2)
        y = conv2d(channels, blocks(self.real, self.imag, outside=0), padding=self.real.shape[-1] // 2)
        return as_complex(y.unflatten(1, (2, -1)))


class ComplexUp(nn.Module):
    """Transposed convolution with a complex kernel of 2 x 2: twice the height and width."""

    def __init__(self, inside: int, outside: int):
        super().__init__()
        self.real = nn.Parameter(torch.empty(inside, outside, 2, 2))
        self.imag = nn.Parameter(torch.empty(inside, outside, 2, 2))
        start(self.real, self.imag, inside)

    def forward(self, x: Tensor) -> Tensor:
        channels = as_real(x).flatten(1, 2)
        y = conv_transpose2d(channels, blocks(self.real, self.imag, outside=1), stride=2)
        return as_complex(y.unflatten(1, (2, -1)))


def start(real: Tensor, imag: Tensor, inputs: int) -> None:
    """Half of the variance 1 / inputs for each part."""
    for part in (real, imag):
        nn.init.normal_(part, std=1 / math.sqrt(2 * inputs))


class ComplexNorm(nn.Module):
    """Instance normalisation: (x - mean) / sqrt(mean |x - mean|^2) over height and width, the phase left alone.

    Trabelsi et al. whiten real and imaginary part instead, with a 2 x 2 covariance: that forgets the phase's direction.
    """

    def __init__(self, width: int, eps: float = 1e-5):
        super().__init__()
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        x = x - x.mean((-2, -1), keepdim=True)
        power = (x.real.square() + x.imag.square()).mean((-2, -1), keepdim=True)
        return x * torch.rsqrt(power + self.eps)


class ModReLU(nn.Module):
    """max(|z| + b, 0) z / |z| with a learned b for each channel (Arjovsky, Shah & Bengio, ICML 2016)."""

    def __init__(self, width: int):
        super().__init__()
        self.b = nn.Parameter(torch.full((width,), -0.1))

    def forward(self, z: Tensor) -> Tensor:
        size = (z.real.square() + z.imag.square() + 1e-12).sqrt()
        return z * ((size + self.b[:, None, None]).clamp_min(0) / size)


class CReLU(nn.Module):
    """ReLU on the real and on the imaginary part (Trabelsi et al.): a number keeps its phase in one quadrant only."""

    def __init__(self, width: int):
        super().__init__()

    def forward(self, z: Tensor) -> Tensor:
        return torch.complex(z.real.relu(), z.imag.relu())


class Cardioid(nn.Module):
    """(1 + cos(angle z)) / 2 z (Virtue, Yu & Lustig): the phase stays, the size depends on it; ReLU on real numbers."""

    def __init__(self, width: int):
        super().__init__()

    def forward(self, z: Tensor) -> Tensor:
        size = (z.real.square() + z.imag.square() + 1e-12).sqrt()
        return z * ((1 + z.real / size) / 2)


def complex_valued(dims: int, act: type[nn.Module] = ModReLU) -> Layers:
    """Complex layers for `UNet`; with ModReLU the network turns with a global phase, f(c z) = c f(z) for |c| = 1."""
    if dims != 2:
        raise CourseError("complex layers", "2 axes: height and width", f"{dims}", "frames on the batch axis")
    return Layers(
        conv=ComplexConv,
        up=ComplexUp,
        norm=ComplexNorm,
        act=act,
        last=partial(ComplexConv, kernel=1),
        pool=lambda x: torch.complex(avg_pool2d(x.real, 2), avg_pool2d(x.imag, 2)),
    )
