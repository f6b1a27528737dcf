"""The non-uniform FFT without autograd: divide by the window's transform, pad, FFT, interpolate.

Fessler & Sutton, IEEE Trans. Signal Process. 2003. Normal operator: Fessler et al., IEEE Trans. Signal Process. 2005.
"""

from dataclasses import dataclass
from functools import cached_property
from math import ceil, sqrt
from types import EllipsisType

import torch
from torch import Tensor

from .interpolate import Kernel, Matrix, interpolation

TOGETHER = 8  # images interpolated at once: 16 real numbers, one cache line


@dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """What does not change from call to call, for one precision; each part is made when first needed.

    trajectory (frames, samples, 2), weights (frames, samples), images (n, frames, *shape), data (n, frames, samples).
    """

    trajectory: Tensor
    weights: Tensor
    shape: tuple[int, int]
    kernel: Kernel
    dtype: torch.dtype

    def read(self, images: Tensor) -> Tensor:
        """The Fourier transform of the images along the trajectory."""
        return torch.cat([self._read(part) for part in images.split(TOGETHER)])

    def spread(self, data: Tensor) -> Tensor:
        """The adjoint of `read`."""
        return torch.cat([self._spread(part) for part in data.split(TOGETHER)])

    def convolve(self, images: Tensor) -> Tensor:
        """spread(weights * read(images)): a convolution, so FFTs of twice the size are enough.

        One axis after the other and one image at a time: the rows of zeros below the image need no transform, the rows
        that are cut off afterwards neither, and everything stays in the cache.
        """
        out, (height, width), (wide, high) = torch.empty_like(images), self.shape, self.transfer.shape[-2:]
        for image, result in zip(images, out):
            k = torch.fft.fft(torch.fft.fft(image, wide).mT, high).mul_(self.transfer)
            result.copy_(torch.fft.ifft(torch.fft.ifft(k)[..., :height].mT)[..., :width])
        return out

    def _read(self, images: Tensor) -> Tensor:
        padded = images.new_zeros(*images.shape[:2], *self.grid)
        padded[self.window] = images * self.scale
        points = torch.fft.fft2(padded).movedim(0, -1).flatten(0, 2)
        return (self.matrix @ points).T.reshape(len(images), *self.trajectory.shape[:2])

    def _spread(self, data: Tensor) -> Tensor:
        points = self.matrix.T @ data.flatten(1).T
        padded = points.T.reshape(*data.shape[:2], *self.grid)
        return torch.fft.ifft2(padded, norm="forward")[self.window] * self.scale

    @property
    def grid(self) -> tuple[int, int]:
        """Even sizes that FFTs like, at least `oversampling` times those of the image."""
        height, width = (2 * fast(ceil(self.kernel.oversampling * n / 2)) for n in self.shape)
        return height, width

    @property
    def window(self) -> tuple[EllipsisType, slice, slice]:
        """Where the image lies in the grid: its centre n // 2 in the middle."""
        height, width = self.shape
        top, left = (g // 2 - n // 2 for g, n in zip(self.grid, self.shape))
        return ..., slice(top, top + height), slice(left, left + width)

    @cached_property
    def scale(self) -> Tensor:
        """1 / sqrt(H W) over the window's transform, (H, W)."""
        one = [self.kernel.transform((torch.arange(n).double() - n // 2) / g) for n, g in zip(self.shape, self.grid)]
        scale = 1 / (sqrt(self.shape[0] * self.shape[1]) * one[0][:, None] * one[1])
        return scale.to(self.trajectory.device, self.dtype)

    @cached_property
    def matrix(self) -> Matrix:
        return interpolation(self.trajectory, self.grid, self.kernel, self.dtype)

    @cached_property
    def transfer(self) -> Tensor:
        """The transform of the point spread, (frames, 2 W, 2 H) or so; real, since the spread is Hermitian."""
        height, width = (fast(2 * n - 1) for n in self.shape)
        fine = Kernel(max(2, self.kernel.oversampling), max(6, self.kernel.width))
        large = Plan(self.trajectory, self.weights, (height, width), fine, self.dtype)
        spread = large.spread(torch.complex(self.weights, torch.zeros_like(self.weights))[None])
        scale = sqrt(height * width) / (self.shape[0] * self.shape[1])
        return torch.fft.fft2(torch.fft.ifftshift(spread[0], (-2, -1))).real.mT.contiguous() * scale


def fast(n: int) -> int:
    """The smallest size >= n without a prime factor above 5: FFTs of it are fast."""
    while pow(30, n, n):  # 30^n is a multiple of n just when 2, 3 and 5 are its only prime factors
        n += 1
    return n
