"""Chapter 01, as learners write it: solutions that are right in another way, and planted mistakes."""

from math import pi, sqrt

import torch
from torch.fft import fft2, fftfreq, fftn, fftshift, ifft2, ifftshift

from course_lib.ops import fft2c, ifft2c


def by_matrices(x):
    height, width = x.shape[-2:]

    def waves(n):
        k = torch.arange(n) - n // 2
        return torch.exp(-2j * pi * k[:, None] * k / n) / sqrt(n)

    return waves(height).to(x.dtype) @ x @ waves(width).to(x.dtype)


def by_two_axes(image, down, right):
    for axis, by in ((-2, down), (-1, right)):
        n = image.shape[axis]
        ramp = torch.exp(-2j * pi * by * torch.fft.fftfreq(n))
        if n % 2 == 0:
            ramp[n // 2] = torch.exp(torch.tensor(2j * pi * by * 0.5))
        image = torch.fft.ifft(torch.fft.fft(image, dim=axis) * (ramp[:, None] if axis == -2 else ramp), dim=axis)
    return image


def by_waves(image, waves, down, right):
    """`waves` gives the frequencies of an axis with so many samples; right are (arange(n) - n // 2) / n."""
    ky, kx = (waves(n) for n in image.shape[-2:])
    return ifft2c(fft2c(image) * torch.exp(-2j * pi * (down * ky[:, None] + right * kx)))


def by_index(k):
    rows, columns = ((-(torch.arange(n) - n // 2) + n // 2) % n for n in k.shape[-2:])
    return k[:, rows][:, :, columns].conj()


RIGHT = {"ch01_transform": by_matrices, "ch01_move": by_two_axes, "ch01_mirror": by_index}

WRONG = {
    "ch01_transform": {
        "no shift": lambda x: fft2(x, norm="ortho"),
        "no shift and no normalisation": fft2,
        "shift missing before the transform": lambda x: fftshift(fft2(x, norm="ortho"), (-2, -1)),
        "shift missing before the transform, no normalisation": lambda x: fftshift(fft2(x), (-2, -1)),
        "shift missing before the transform, batch moved too": lambda x: fftshift(fft2(x, norm="ortho")),
        "shift missing before the transform, no normalisation, batch moved too": lambda x: fftshift(fft2(x)),
        "shift missing after the transform": lambda x: fft2(ifftshift(x, (-2, -1)), norm="ortho"),
        "fftshift and ifftshift exchanged": lambda x: ifftshift(fft2(fftshift(x, (-2, -1)), norm="ortho"), (-2, -1)),
        "fftshift on both sides": lambda x: fftshift(fft2(fftshift(x), norm="ortho")),
        "batch transformed too": lambda x: fftshift(fftn(ifftshift(x, (-2, -1)), norm="ortho"), (-2, -1)),
        "batch transformed and moved too": lambda x: fftshift(fftn(ifftshift(x), norm="ortho")),
        "wrong direction": lambda x: fftshift(ifft2(ifftshift(x, (-2, -1)), norm="ortho"), (-2, -1)),
        "wrong normalisation": lambda x: fftshift(fft2(ifftshift(x, (-2, -1))), (-2, -1)),
        "real part only": lambda x: by_matrices(x).real,
        "wrong shape": lambda x: by_matrices(x)[0],
        "wrong kind of result": lambda x: by_matrices(x).numpy(),
        "it changes its input": lambda x: x.mul_(2),
    },
    "ch01_move": {
        "wrong direction": lambda image, down, right: by_two_axes(image, -down, -right),
        "down and right exchanged": lambda image, down, right: by_two_axes(image, right, down),
        "not divided by n": lambda image, down, right: by_waves(image, lambda n: torch.arange(n) - n // 2, down, right),
        "frequencies in the order of fftfreq": lambda image, down, right: by_waves(image, fftfreq, down, right),
        "whole pixels only": lambda image, down, right: torch.roll(image, (round(down), round(right)), (1, 2)),
        "magnitude of the image": lambda image, down, right: by_two_axes(image.abs(), down, right),
        "magnitude only": lambda image, down, right: by_two_axes(image, down, right).abs(),
    },
    "ch01_mirror": {
        "not conjugated": lambda k: by_index(k).conj(),
        "off by one": lambda k: torch.flip(k, (1, 2)).conj(),
        "moved on odd axes too": lambda k: torch.flip(k, (1, 2)).roll((1, 1), (1, 2)).conj(),
        "batch reversed too": lambda k: by_index(k).flip(0),
        "one axis only": lambda k: by_index(k.mT)[..., :].mT.flip(-2).roll(1 - k.shape[-2] % 2, -2),
        "conjugated, not mirrored": torch.conj,
        "it returns nothing": lambda k: None,
    },
}
