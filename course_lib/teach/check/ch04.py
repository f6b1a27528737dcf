"""Chapter 04: GRAPPA's weights, fitted to the calibration lines."""

import torch
from torch import Tensor

from ...ops import Hankel
from ..exercise import Exercise
from .cases import images


def windows(k: Tensor, lines: int) -> Tensor:
    """(place, coil, 5 rows, lines)"""
    size = (k.shape[-2], k.shape[-1])
    return Hankel(size, (5, lines))(k)[0].unflatten(1, (-1, 5, lines))


def _examples(block: Tensor, R: int, row: int = 2) -> tuple[Tensor, Tensor]:
    w = windows(block, R + 1)
    return w[..., [0, R]].flatten(1), w[:, :, row, 1:R].flatten(1)


def _ridge(S: Tensor, T: Tensor, lam: float) -> Tensor:
    """The least squares solution of S w = T on top of sqrt(lam) w = 0; lam is absolute."""
    below = lam**0.5 * torch.eye(S.shape[1], dtype=torch.complex128)
    known, wanted = torch.cat([S.to(below), below]), torch.cat([T.to(below), below.new_zeros(S.shape[1], T.shape[1])])
    return torch.linalg.lstsq(known, wanted).solution.to(S.dtype)


def _energy(S: Tensor) -> float:
    return S.abs().square().sum(0).mean().item()


def _fit(block: Tensor, lam: float, R: int = 2, row: int = 2) -> Tensor:
    S, T = _examples(block, R, row)
    return _ridge(S, T, lam * _energy(S))


def _normal(block: Tensor, lam: float, R: int, left: str, right: str) -> Tensor:
    """The normal equations with a transpose (T) or a conjugate transpose (H) in either product."""
    S, T = _examples(block, R)
    turned = {"T": S.mT, "H": S.mH}
    ridge = lam * _energy(S) * torch.eye(S.shape[1])
    return torch.linalg.solve(turned[left] @ S + ridge, turned[right] @ T)


def _inside_out(block: Tensor, lam: float, R: int = 2) -> Tensor:
    w = windows(block, R + 1)
    S, T = w[..., 1:R].flatten(1), w[:, :, 2, [0, R]].flatten(1)
    return _ridge(S, T, lam * _energy(S))


def _backwards(block: Tensor, lam: float, R: int = 2) -> Tensor:
    S, T = _examples(block, R)
    return _ridge(T, S, lam * _energy(T))


ch04_fit = Exercise(
    reference=_fit,
    cases=lambda: [
        (block, lam, R)
        for block, lam, R in zip(images((2, 9, 8), (1, 7, 9), (3, 8, 7)), (0.1, 0.02, 0.3), (2, 3, 2), strict=True)
    ],
    mistakes={
        "not conjugated: the adjoint of a complex matrix is S.mH, not S.T": lambda block, lam, R=2: _normal(
            block, lam, R, "T", "T"
        ),
        "S^H S not conjugated: both products of the normal equations need S.mH": lambda block, lam, R=2: _normal(
            block, lam, R, "T", "H"
        ),
        "S^H T not conjugated: both products of the normal equations need S.mH": lambda block, lam, R=2: _normal(
            block, lam, R, "H", "T"
        ),
        "ridge not scaled: lam counts in units of the mean energy of a column of S": lambda block, lam, R=2: _ridge(
            *_examples(block, R), lam
        ),
        "ridge scaled by the sum: the mean energy of a column is the trace over the number of columns": (
            lambda block, lam, R=2: _fit(block, lam * _examples(block, R)[0].shape[1], R)
        ),
        "ridge scaled by the number of windows: the energy of a column is a sum over its rows": (
            lambda block, lam, R=2: _fit(block, lam / len(windows(block, R + 1)), R)
        ),
        "no ridge: lam does nothing": lambda block, lam, R=2: _fit(block, 1e-9, R),
        "outer and inner lines exchanged: the outer lines of a window are acquired, the inner ones are the gaps": (
            _inside_out
        ),
        "source and target exchanged: S is known and T is wanted, S w = T": _backwards,
        "target in the wrong row: the middle one of five rows is row 2": lambda block, lam, R=2: _fit(
            block, lam, R, row=0
        ),
    },
)
