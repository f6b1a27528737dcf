"""Cartesian parallel imaging: A = M F S, coil maps, then the Fourier transform, then the sampling mask.

Pruessmann et al., SENSE, Magn. Reson. Med. 1999. k-space is centred and orthonormal: zero frequency at index n // 2.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from ..shapes import agree
from .linear import Compose, LinearOperator
from .normal import sense_normal


def fft2c(x: Tensor) -> Tensor:
    """Centred orthonormal Fourier transform over the last two axes: fftshift(fft2(ifftshift(x)))."""
    before, after = modulation(x.shape[-2:], 1, x.dtype, x.device)
    return torch.fft.fft2(x * before, norm="ortho") * after


def ifft2c(k: Tensor) -> Tensor:
    """The inverse (and adjoint) of `fft2c`."""
    after, before = modulation(k.shape[-2:], -1, k.dtype, k.device)
    return torch.fft.ifft2(k * before, norm="ortho") * after


@lru_cache(maxsize=64)
def modulation(size: torch.Size, sign: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Two phases of shape `size` with fft2c(x) = after * fft2(before * x); sign -1 gives their conjugates.

    Shifting an array is a phase on its transform; for even sizes the phases are +1 and -1, exactly.
    """
    with torch.inference_mode(False):
        rows, columns = (_phases(n, sign) for n in size)
        before, after = (a[:, None] * b for a, b in zip(rows, columns))
        dtype = torch.promote_types(dtype, torch.complex32)  # complex, whatever came in
        return before.to(device, dtype), after.to(device, dtype)


def _phases(n: int, sign: int) -> list[Tensor]:
    """[before, after]: exp(-2 pi i (u - c)(m - c) / n) = after[u] exp(-2 pi i u m / n) before[m], c = n // 2."""
    index, c = torch.arange(n), n // 2
    roots = torch.exp(sign * 2j * torch.pi * index.double() / n)
    if n % 2 == 0:
        roots[0], roots[c] = 1, -1
    return [roots[index * c % n], roots[(index - c) * c % n]]


@dataclass(frozen=True, eq=False, repr=False)
class Fourier(LinearOperator):
    """The centred orthonormal Fourier transform over the last two axes; its adjoint is its inverse."""

    def forward(self, x: Tensor) -> Tensor:
        return fft2c(x)

    def adjoint(self, y: Tensor) -> Tensor:
        return ifft2c(y)

    def normal(self, x: Tensor) -> Tensor:
        return x


@dataclass(frozen=True, eq=False, repr=False)
class Coils(LinearOperator):
    """Image (batch, *extra, height, width) -> coil images (batch, coil, *extra, height, width): maps * x."""

    maps: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return self.maps * x.unsqueeze(1)

    def adjoint(self, y: Tensor) -> Tensor:
        return (self.maps.conj() * y).sum(1)


@dataclass(frozen=True, eq=False, repr=False)
class Mask(LinearOperator):
    """Keep what was acquired: mask * k, mask (batch or 1, 1, *extra, height or 1, width), 1 = acquired."""

    mask: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return self.mask * x

    def adjoint(self, y: Tensor) -> Tensor:
        return self.mask * y


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Sense(Compose):
    """Sense(mask, maps) = Mask(mask) @ Fourier() @ Coils(maps): image -> undersampled multi-coil k-space.

    mask (batch or 1, 1, *extra, height or 1, width), maps (batch or 1, coil, *extra or 1, height, width).
    A batch or extra axis of length 1 serves every sample. Raises `ShapeError` when mask and maps do not fit.
    """

    mask: Tensor
    maps: Tensor

    def __init__(self, mask: Tensor, maps: Tensor):
        agree("Sense", mask=mask, maps=maps)
        super().__init__(Mask(mask), Compose(Fourier(), Coils(maps)))
        object.__setattr__(self, "mask", mask)
        object.__setattr__(self, "maps", maps)

    def forward(self, x: Tensor) -> Tensor:
        before, after = modulation(x.shape[-2:], 1, x.dtype, x.device)
        coils = self.maps * (x * before).unsqueeze(1)
        return torch.fft.fft2(coils, norm="ortho").mul_(self.mask * after)

    def adjoint(self, y: Tensor) -> Tensor:
        after, before = modulation(y.shape[-2:], -1, y.dtype, y.device)
        coils = torch.fft.ifft2(y * (self.mask * before), norm="ortho")
        return coils.mul_(self.maps.conj()).sum(1) * after

    def normal(self, x: Tensor) -> Tensor:
        if self.maps.requires_grad or self.mask.requires_grad:
            return self.adjoint(self.forward(x))
        return self._normal(x)

    @cached_property
    def _normal(self) -> Callable[[Tensor], Tensor]:
        return sense_normal(self.mask, self.maps)

    def to(self, device: torch.device | str) -> "Sense":
        """The same operator on another device."""
        return Sense(self.mask.to(device), self.maps.to(device))
