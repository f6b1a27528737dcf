"""Chapter 03: the forward model and its adjoint, and unfolding."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ...ops import Sense, fft2c, ifft2c
from ...sampling import uniform
from ...solve.unfold import unfold
from ..exercise import Exercise
from .cases import images


def _scans() -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Images, k-space, maps and masks; two coils where there are two images: a coil axis forgotten raises nothing."""
    for batch, coils, height, width in [(1, 3, 8, 8), (2, 2, 6, 9), (1, 4, 5, 6)]:
        many = (batch, coils, height, width)
        x, y, maps = (a[0] for a in images((batch, height, width), many, many))
        yield x, y, maps, uniform(width, 2)


ch03_forward = Exercise(
    reference=lambda x, maps, mask: Sense(mask, maps)(x),
    cases=lambda: [(x, maps, mask) for x, _, maps, mask in _scans()],
    mistakes={
        "mask not applied: only what was measured is in the data": lambda x, maps, mask: fft2c(maps * x[:, None]),
        "mask applied to the image: it chooses samples of k-space, so transform first": lambda x, maps, mask: fft2c(
            mask * maps * x[:, None]
        ),
        "maps not applied: every coil weighs the image with its map": lambda x, maps, mask: (
            mask * fft2c(x[:, None].expand_as(maps))
        ),
        "conjugate of the maps: that belongs into the adjoint": lambda x, maps, mask: Sense(mask, maps.conj())(x),
        "wrong direction: from image to k-space goes fft2c": lambda x, maps, mask: mask * ifft2c(maps * x[:, None]),
        "coil axis missing: with x[:, None] each image meets all coils": lambda x, maps, mask: mask * fft2c(maps * x),
    },
    differentiable=True,
)


def _back(y: Tensor, maps: Tensor, mask: Tensor) -> Tensor:
    return Sense(mask, maps).H(y)


ch03_adjoint = Exercise(
    reference=_back,
    cases=lambda: [(y, maps, mask) for _, y, maps, mask in _scans()],
    mistakes={
        "missing conjugate of the maps: the adjoint of a multiplication is one with the conjugate": (
            lambda y, maps, mask: _back(y, maps.conj(), mask)
        ),
        "mask not applied: what was not measured must not count": lambda y, maps, mask: _back(
            y, maps, torch.ones_like(mask)
        ),
        "sum over coils missing: the forward model copied one image to all coils, so add them up": (
            lambda y, maps, mask: maps.conj() * ifft2c(mask * y)
        ),
        "mean over coils: the adjoint of copying is adding": lambda y, maps, mask: _back(y, maps, mask) / maps.shape[1],
        "wrong direction: from k-space to image goes ifft2c": lambda y, maps, mask: (maps.conj() * fft2c(mask * y)).sum(
            1
        ),
        "divided by the energy of the maps: that is an inverse, no adjoint": lambda y, maps, mask: (
            _back(y, maps, mask) / maps.abs().square().sum(1)
        ),
        "root of the sum of squares: it is not linear, so it is no adjoint": lambda y, maps, mask: (
            ifft2c(mask * y).abs().square().sum(1).sqrt()
        ),
    },
    differentiable=True,
)


def _aliased() -> Iterator[tuple[Tensor, Tensor, int]]:
    """Aliased coil images with noise, maps, R; no coil hears the left quarter."""
    for R, coils, height, width in [(2, 4, 8, 8), (3, 5, 5, 9), (2, 3, 6, 10)]:
        y, maps = images((coils, height, width), (coils, height, width))
        maps[..., : width // 4] = 0
        yield ifft2c(_lines(width, R) * y), maps, R


def _lines(width: int, R: int) -> Tensor:
    """Every R-th line, zero frequency among them: then all copies have the same phase."""
    return uniform(width, R, offset=width // 2 % R)


def _unfolded(aliased: Tensor, maps: Tensor, R: int) -> Tensor:
    return unfold(fft2c(aliased), _lines(maps.shape[-1], R), maps)


def _transposed(aliased: Tensor, maps: Tensor, R: int) -> Tensor:
    S, a = (z.unflatten(-1, (R, -1)).permute(0, 2, 4, 1, 3) for z in (maps / R, aliased))
    x = torch.linalg.pinv(S.mT @ S) @ (S.mT @ a[..., :1])
    return x[..., 0].mT.flatten(-2)


def _weighed(aliased: Tensor, maps: Tensor, R: int) -> Tensor:
    return (maps.conj() * aliased).sum(1) / R


ch03_unfold = Exercise(
    reference=_unfolded,
    cases=lambda: list(_aliased()),
    mistakes={
        "weight of the copies: each of the R copies arrives with weight 1 / R": lambda aliased, maps, R: (
            _unfolded(aliased, maps, R) / R
        ),
        "missing conjugate: the normal equations are S^H S x = S^H a": _transposed,
        "weighed, not solved: S^H a still holds the aliases": _weighed,
        "each pixel alone: S^H S couples the R pixels, its diagonal does not": lambda aliased, maps, R: (
            _weighed(aliased, maps, R) * R**2 / maps.abs().square().sum(1).clamp_min(1e-12)
        ),
        "pixels in the wrong order: pixel r of a group lies r * width / R further right": lambda aliased, maps, R: (
            _unfolded(aliased, maps, R).unflatten(-1, (R, -1)).mT.flatten(-2)
        ),
    },
)
