"""Chapter 01: the centred transform, moving an image, the conjugate mirror image of k-space."""

import torch
from torch import Tensor

from ...ops import fft2c, ifft2c
from ..exercise import Exercise
from .cases import images

AXES = (-2, -1)


def _plain(x: Tensor, before: bool, after: bool) -> Tensor:
    x = torch.fft.ifftshift(x, AXES) if before else x
    X = torch.fft.fft2(x, norm="ortho")
    return torch.fft.fftshift(X, AXES) if after else X


ch01_transform = Exercise(
    reference=fft2c,
    cases=lambda: [(x,) for x in images((8, 8), (7, 6), (9, 5))],
    mistakes={
        "no shift: zero frequency is in the corner, and so is the image's origin": lambda x: _plain(x, False, False),
        "shift missing before the transform: the origin of the image is its middle pixel, the plain FFT takes the "
        "corner": lambda x: _plain(x, False, True),
        "shift missing after the transform: zero frequency belongs in the middle": lambda x: _plain(x, True, False),
        "fftshift and ifftshift exchanged: they differ for odd sizes": lambda x: torch.fft.ifftshift(
            torch.fft.fft2(torch.fft.fftshift(x, AXES), norm="ortho"), AXES
        ),
        "wrong direction: this is the inverse transform": ifft2c,
        "wrong normalisation: lengths must be kept, so divide by the root of the number of pixels": lambda x: (
            fft2c(x) * (x.shape[-1] * x.shape[-2]) ** 0.5
        ),
    },
)


def _moved(image: Tensor, down: float, right: float, sign: complex = -2j) -> Tensor:
    ky, kx = (torch.arange(n) - n // 2 for n in image.shape[-2:])
    turns = down * ky[:, None] / image.shape[-2] + right * kx / image.shape[-1]
    return ifft2c(fft2c(image) * torch.exp(sign * torch.pi * turns))


ch01_move = Exercise(
    reference=_moved,
    cases=lambda: [
        (x, *by) for x, by in zip(images((8, 8), (8, 8), (8, 12)), [(3, -2), (0.5, 0), (-1.25, 2.5)], strict=True)
    ],
    mistakes={
        "wrong direction: the sign of the phase ramp": lambda x, down, right: _moved(x, -down, -right),
        "down and right exchanged: height comes first": lambda x, down, right: _moved(x, right, down),
        "half the way: a whole turn is 2 pi": lambda x, down, right: _moved(x, down, right, -1j),
        "whole pixels only: roll cannot move by half a pixel": lambda x, down, right: x.roll(
            (round(down), round(right)), AXES
        ),
        "frequencies start at 0: zero frequency is in the middle, at n // 2": lambda x, down, right: (
            _moved(x, down, right) * torch.exp(torch.tensor(-1j * torch.pi * (down + right)))
        ),
        "magnitude of the image: k-space needs its phase": lambda x, down, right: _moved(x.abs() + 0j, down, right),
    },
)


def _flipped(k: Tensor) -> Tensor:
    return k.flip(AXES).roll([1 - n % 2 for n in k.shape[-2:]], AXES)


ch01_mirror = Exercise(
    reference=lambda k: _flipped(k).conj(),
    cases=lambda: [(k,) for k in images((8, 8), (6, 8), (7, 8))],
    mistakes={
        "not conjugated: the sample at -k of a real image is the conjugate": _flipped,
        "off by one: for an even size, index 0 has no partner, so flip and move by one": lambda k: k.flip(AXES).conj(),
        "moved the wrong way: after the flip the middle must be in the middle again": lambda k: (
            k.flip(AXES).roll([n % 2 - 1 for n in k.shape[-2:]], AXES).conj()
        ),
        "one axis only: -k reverses both": lambda k: (
            k.flip(-1).roll(1 - k.shape[-1] % 2, -1).conj()
        ),
        "conjugated, not mirrored: the partner of k is at -k": lambda k: k.conj(),
    },
)  # fmt: skip
