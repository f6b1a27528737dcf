"""Chapter 03: white noise, the g-factor, fewer coils."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ...sampling import uniform
from ...solve.calibrate import compress, mix, noise_covariance, whiten
from ...solve.gfactor import gfactor
from ..exercise import Exercise
from .cases import images


def _noisy() -> Iterator[tuple[Tensor, Tensor]]:
    """k-space, and a covariance with correlations and unequal coils."""
    for batch, coils, height, width in [(1, 3, 6, 7), (2, 4, 5, 4), (1, 2, 4, 4)]:
        y, noise = (a[0] for a in images((batch, coils, height, width), (batch, coils, 3, 5)))
        noise = noise * torch.arange(1, coils + 1)[:, None, None] + noise.flip(1)
        yield y, noise_covariance(noise)


def _without_rotation(white: Tensor) -> Tensor:
    """White noise stays white when coils are mixed by a unitary matrix; QR takes that freedom away."""
    rows = torch.linalg.qr(white.flatten(2)).R
    rows = rows * torch.sgn(rows.diagonal(dim1=-2, dim2=-1))[..., None].conj()
    return rows.reshape(white.shape)


def _spread(covariance: Tensor) -> Tensor:
    return covariance.diagonal(dim1=-2, dim2=-1).real.sqrt()[..., None, None]


ch03_whiten = Exercise(
    reference=whiten,
    cases=lambda: list(_noisy()),
    run=lambda solution, y, covariance: (
        _without_rotation(white)
        if isinstance(white := solution(y, covariance), Tensor) and white.shape == y.shape
        else white
    ),
    mistakes={
        "coloured, not whitened: with Psi = L L^H the noise is L times white noise, so undo L": lambda y, covariance: (
            mix(torch.linalg.cholesky(covariance), y)
        ),
        "correlations remain: dividing by the standard deviations makes coils equal, not independent": (
            lambda y, covariance: y / _spread(covariance)
        ),
        "half too much: the inverse of Psi leaves noise of covariance Psi^-1, the inverse of its root is enough": (
            lambda y, covariance: mix(torch.linalg.inv(covariance), y)
        ),
        "conjugate transposed: L^-1 whitens noise of covariance L L^H, its adjoint does not": lambda y, covariance: mix(
            torch.linalg.inv(torch.linalg.cholesky(covariance)).mH, y
        ),
        "conjugate of the covariance: L comes from Psi as it is": lambda y, covariance: whiten(y, covariance.conj()),
    },
)


def _coils() -> Iterator[tuple[Tensor, int]]:
    """Maps and R; no coil hears the left quarter."""
    for coils, height, width, R in [(4, 8, 8, 2), (6, 5, 9, 3), (3, 7, 6, 2)]:
        maps = next(images((coils, height, width)))
        maps[..., : width // 4] = 0
        yield maps, R


def _g(maps: Tensor, R: int) -> Tensor:
    return gfactor(maps, uniform(maps.shape[-1], R)).nan_to_num(0)


def _energy(maps: Tensor) -> Tensor:
    return maps.abs().square().sum(1)


ch03_gfactor = Exercise(
    reference=_g,
    cases=lambda: list(_coils()),
    mistakes={
        "root forgotten: this is the ratio of variances": lambda maps, R: _g(maps, R).square(),
        "always 1: take the diagonal of the inverse, not the inverse of the diagonal": lambda maps, R: (
            _energy(maps) > 0
        ).float(),
        "half of the product: the noise at R needs the full scan's to compare with, the diagonal of S^H S": (
            lambda maps, R: _g(maps, R) / _energy(maps).sqrt().clamp_min(1e-12)
        ),
        "sqrt(R) counted: g is what the coils cost beyond it": lambda maps, R: _g(maps, R) * R**0.5,
        "pixels in the wrong order: pixel r of a group lies r * width / R further right": lambda maps, R: (
            _g(maps, R).unflatten(-1, (R, -1)).mT.flatten(-2)
        ),
    },
)


def _arrays() -> Iterator[tuple[Tensor, int]]:
    """k-space of coils that overlap, and how many virtual ones to keep."""
    for batch, coils, height, width, kept in [(1, 5, 6, 7, 2), (2, 4, 5, 4, 3), (1, 3, 4, 4, 1)]:
        y, matrix = (a[0] for a in images((batch, coils, height, width), (batch, coils, coils)))
        yield mix(matrix, y), kept


def _eigenvectors(kspace: Tensor) -> Tensor:
    """In columns, weakest first."""
    return torch.linalg.eigh(noise_covariance(kspace))[1]


def _matrix(kspace: Tensor, coils: int) -> Tensor:
    return compress(kspace, coils)[1]


ch03_compress = Exercise(
    reference=_matrix,
    cases=lambda: list(_arrays()),
    run=lambda solution, kspace, coils: (
        matrix * torch.sgn(matrix[..., :1]).conj()  # an eigenvector has no phase of its own
        if isinstance(matrix := solution(kspace, coils), Tensor) and matrix.ndim == 3
        else matrix
    ),
    tolerance=1e-3,
    mistakes={
        "weakest kept: eigh sorts from small to large": lambda kspace, coils: _eigenvectors(kspace).mH[:, :coils],
        "weakest first: eigh sorts from small to large, so turn the order round": lambda kspace, coils: _matrix(
            kspace, coils
        ).flip(1),
        "missing conjugate: a virtual coil is the inner product with an eigenvector": lambda kspace, coils: _matrix(
            kspace, coils
        ).conj(),
        "rows taken for eigenvectors: eigh has them in its columns": lambda kspace, coils: _eigenvectors(kspace).flip(
            1
        )[:, :coils],
        "coils dropped: a virtual coil mixes all of them": lambda kspace, coils: torch.eye(
            kspace.shape[1], dtype=kspace.dtype
        )[None, :coils].expand(len(kspace), -1, -1),
        "not of unit length: rows must be orthonormal, or noise is no longer white": lambda kspace, coils: (
            _matrix(kspace, coils) * mix(_matrix(kspace, coils), kspace).flatten(2).norm(dim=-1, keepdim=True)
        ),
    },
)
