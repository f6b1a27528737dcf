"""Phantoms: images made of ellipses, with smooth phase and smooth coil maps, whose truth is known exactly."""

import math

import torch
from torch import Tensor

from ..ops import Coils, Fourier
from ..sampling import Draw, random
from ..shapes import Image, Maps
from .sample import Sample, undersample


def grid(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Coordinates v, u in [-1, 1) of the pixels, (height, 1) and (1, width); 0 at height//2, width//2."""
    v = (torch.arange(height) - height // 2) / (height / 2)
    u = (torch.arange(width) - width // 2) / (width / 2)
    return v[:, None], u[None]


def ellipses(height: int, width: int, seed: int = 0, count: int = 8) -> Image:
    """A head of one large and `count` random ellipses with smooth random phase: (1, height, width), values to 1."""
    rng = torch.Generator().manual_seed(seed)
    v, u = grid(height, width)
    image = 0.4 * ((u / 0.75) ** 2 + (v / 0.9) ** 2 < 1).float()
    for _ in range(count):
        cu, cv, a, b, angle, value = (torch.rand(6, generator=rng) * 2 - 1).tolist()
        du, dv = u - 0.4 * cu, v - 0.5 * cv
        cos, sin = torch.cos(torch.tensor(3.14 * angle)), torch.sin(torch.tensor(3.14 * angle))
        along, across = cos * du + sin * dv, cos * dv - sin * du
        inside = (along / (0.12 + 0.1 * a)) ** 2 + (across / (0.2 + 0.1 * b)) ** 2 < 1
        image = image + 0.3 * value * inside
    p = torch.randn(5, generator=rng)
    phase = p[0] + p[1] * u + p[2] * v + p[3] * u * v + p[4] * (u**2 - v**2)
    return torch.polar(image.clamp(0, 1), phase.expand_as(image))[None]


def coil_maps(coils: int, height: int, width: int) -> Maps:
    """Smooth maps of `coils` coils on a circle around the head, (1, coils, height, width), sum of squares 1."""
    v, u = grid(height, width)
    angle = 2 * torch.pi * torch.arange(coils)[:, None, None] / coils
    du, dv = u - 1.2 * torch.cos(angle), v - 1.2 * torch.sin(angle)
    maps = torch.polar(1 / (0.3 + du**2 + dv**2), angle + 0.5 * (u * torch.sin(angle) - v * torch.cos(angle)))
    return (maps / maps.abs().square().sum(0).sqrt())[None]


def phantom_sample(
    height: int = 32,
    width: int = 32,
    coils: int = 4,
    acceleration: float = 3,
    noise: float = 0.0,
    seed: int = 0,
    mask: Draw | None = None,
    extra: tuple[int, ...] = (),
) -> Sample:
    """An undersampled ellipse phantom, the smallest thing every method can be tried on; random lines without `mask`.

    extra: lengths of axes between batch and height (encodings, time); images along them differ, and so do their lines.
    """
    draw = mask or (lambda width, seed: random(width, acceleration, 0.16, seed))
    image, maps = ellipses(height, width, seed), coil_maps(coils, height, width)
    lines = draw(width, seed)
    if extra:
        image = several(height, width, extra, seed)
        lines = torch.cat([draw(width, seed + i) for i in range(math.prod(extra))]).reshape(1, 1, *extra, 1, width)
        maps = maps.reshape(1, coils, *(1 for _ in extra), height, width)
    kspace = (Fourier() @ Coils(maps))(image)
    kspace = kspace + noise * torch.randn(
        kspace.shape, dtype=kspace.dtype, generator=torch.Generator().manual_seed(seed)
    )
    return undersample(kspace, maps, lines, image)


def several(height: int, width: int, extra: tuple[int, ...], seed: int = 0) -> Image:
    """One head (1, *extra, height, width) whose inside and phase change from index to index, between two phantoms."""
    first, second = (ellipses(height, width, 2 * seed + i) for i in range(2))
    share = (torch.arange(math.prod(extra)) / math.prod(extra)).reshape(*extra, 1, 1)
    return ((1 - share) * first[0] + share * second[0])[None]
