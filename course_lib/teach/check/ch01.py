"""Chapter 01: the centred transform, moving an image, the conjugate mirror image of k-space."""

import torch
from torch import Tensor

from ...ops import fft2c, ifft2c
from ..exercise import Exercise
from .cases import images

AXES, ALL = (-2, -1), (-3, -2, -1)


def _batches(*shapes: tuple[int, int]) -> list[tuple[Tensor]]:
    """Two different images a case: whoever touches the batch axis is found out."""
    return [(torch.cat([x, 2 * x.flip(-1)]),) for x in images(*shapes)]


def _plain(x: Tensor, before: bool, after: bool, norm: str | None = "ortho", axes: tuple[int, ...] = AXES) -> Tensor:
    x = torch.fft.ifftshift(x, axes) if before else x
    X = torch.fft.fft2(x, norm=norm)
    return torch.fft.fftshift(X, axes) if after else X


ch01_transform = Exercise(
    reference=fft2c,
    cases=lambda: _batches((8, 8), (7, 6), (9, 5)),
    mistakes={
        "no shift: zero frequency is in the corner, and so is the image's origin": lambda x: _plain(x, False, False),
        "no shift and no normalisation: zero frequency is in the corner, and so is the image's origin; lengths must be "
        "kept": lambda x: _plain(x, False, False, None),
        "shift missing before the transform: the origin of the image is its middle pixel, the plain FFT takes the "
        "corner": lambda x: _plain(x, False, True),
        "shift missing before the transform, no normalisation: the origin is the middle pixel, and lengths "
        "must be kept": lambda x: _plain(x, False, True, None),
        "shift missing before the transform, batch moved too: the origin of the image is its middle pixel, and a shift "
        "without axes moves the batch": lambda x: _plain(x, False, True, axes=ALL),
        "shift missing before the transform, no normalisation, batch moved too: begin with the axes, dim=(-2, -1)": (
            lambda x: _plain(x, False, True, None, ALL)
        ),
        "shift missing after the transform: zero frequency belongs in the middle": lambda x: _plain(x, True, False),
        "fftshift and ifftshift exchanged: they differ for odd sizes": lambda x: torch.fft.ifftshift(
            torch.fft.fft2(torch.fft.fftshift(x, AXES), norm="ortho"), AXES
        ),
        "fftshift on both sides: before the transform odd sizes need ifftshift": lambda x: _plain(
            torch.fft.fftshift(x, AXES), False, True
        ),
        "batch transformed too: fft2, or dim=(-2, -1)": lambda x: torch.fft.fft(fft2c(x), dim=0, norm="ortho"),
        "batch transformed and moved too: fft2 and shifts with dim=(-2, -1)": lambda x: torch.fft.fftshift(
            torch.fft.fftn(torch.fft.ifftshift(x, ALL), dim=ALL, norm="ortho"), ALL
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


def _uncentred(image: Tensor, down: float, right: float) -> Tensor:
    ky, kx = (torch.fft.fftfreq(n) for n in image.shape[-2:])
    return ifft2c(fft2c(image) * torch.exp(-2j * torch.pi * (down * ky[:, None] + right * kx)))


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
        "not divided by n: k counts waves across the whole image": lambda x, down, right: _moved(
            x, down * x.shape[-2], right * x.shape[-1]
        ),
        "frequencies in the order of fftfreq: they begin at 0, and k-space here has 0 in the middle": _uncentred,
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
    cases=lambda: _batches((8, 8), (6, 8), (7, 8)),
    mistakes={
        "not conjugated: the sample at -k of a real image is the conjugate": _flipped,
        "off by one: for an even size, index 0 has no partner, so flip and move by one": lambda k: k.flip(AXES).conj(),
        "moved on odd axes too: an odd axis is its own mirror image after the flip": lambda k: (
            k.flip(AXES).roll((1, 1), AXES).conj()
        ),
        "batch reversed too: -k reverses height and width": lambda k: _flipped(k).flip(0).conj(),
        "moved the wrong way: after the flip the middle must be in the middle again": lambda k: (
            k.flip(AXES).roll([n % 2 - 1 for n in k.shape[-2:]], AXES).conj()
        ),
        "one axis only: -k reverses both": lambda k: (
            k.flip(-1).roll(1 - k.shape[-1] % 2, -1).conj()
        ),
        "conjugated, not mirrored: the partner of k is at -k": lambda k: k.conj(),
    },
)  # fmt: skip
