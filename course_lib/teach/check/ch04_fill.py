"""Chapter 04: GRAPPA's weights fill the gaps, for R = 2 and for any R."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import pad

from ...sampling import uniform
from ...solve import grappa
from ..exercise import Exercise
from .cases import images
from .ch04 import windows


def _fill(y: Tensor, mask: Tensor, w: Tensor, R: int = 2, first: int = 0) -> Tensor:
    """The library's fill; its targets are counted line by line, ours coil by coil."""
    targets = w.unflatten(1, (-1, R - 1)).transpose(1, 2).flatten(1)
    return grappa.fill(y, mask, targets.mT.unflatten(-1, (-1, 5, 2))[None])


def _guess(y: Tensor, w: Tensor, edge: tuple[int, int, int, int] = (1, 1, 2, 2), mode: str = "constant") -> Tensor:
    return (windows(pad(y, edge, mode), 3)[..., [0, 2]].flatten(1) @ w).mT.reshape(y.shape)


def _scans(*settings: tuple[int, int, int, int, int]) -> Iterator[tuple[Tensor, Tensor, Tensor, int, int]]:
    """(y, mask, weights, R, first) for each (coils, height, width, R, first); three calibration lines."""
    for k, w, (_, _, width, R, first) in zip(
        images(*(s[:3] for s in settings)), images(*((s[0] * 10, s[0] * (s[3] - 1)) for s in settings)), settings
    ):
        mask = uniform(width, R, 3, offset=first)
        yield k * mask, mask, w[0], R, first


ch04_fill = Exercise(
    reference=lambda y, mask, w: _fill(y, mask, w, 2),
    cases=lambda: [scan[:3] for scan in _scans((2, 6, 10, 2, 0), (1, 7, 9, 2, 1), (3, 5, 8, 2, 1))],
    mistakes={
        "acquired lines overwritten: what was measured stays": lambda y, mask, w: _guess(y, w),
        "guess added to what was measured: it is for the gaps only": lambda y, mask, w: y + _guess(y, w),
        "mask the wrong way round: 1 is acquired": lambda y, mask, w: torch.where(mask > 0, _guess(y, w), y),
        "off by one line: a window that begins at line j guesses line j + 1": lambda y, mask, w: torch.where(
            mask > 0, y, _guess(y, w, (0, 2, 2, 2))
        ),
        "rows off by two: the guess is for the middle row of a window": lambda y, mask, w: torch.where(
            mask > 0, y, _guess(y, w, (1, 1, 0, 4))
        ),
        "no zeros beyond the edge: k-space does not begin again there": lambda y, mask, w: torch.where(
            mask > 0, y, _guess(y, w, mode="circular")
        ),
        "weights conjugated: they were fitted to S w": lambda y, mask, w: _fill(y, mask, w.conj(), 2),
        "guess conjugated: S w is (place, coil), to exchange the axes is .mT and not .mH": lambda y, mask, w: (
            torch.where(mask > 0, y, _guess(y, w).conj())
        ),
        "coils and places mixed: S w is (place, coil), k-space has the coil first": lambda y, mask, w: torch.where(
            mask > 0, y, _guess(y, w).reshape(y.shape[1], -1).mT.reshape(y.shape)
        ),
    },
)


def _overwritten(y: Tensor, mask: Tensor, w: Tensor, R: int, first: int) -> Tensor:
    regular = uniform(y.shape[-1], R, offset=first)
    return _fill(y, regular, w, R, first)


ch04_fill_any = Exercise(
    reference=_fill,
    cases=lambda: list(_scans((2, 6, 13, 3, 1), (1, 7, 12, 4, 2), (3, 5, 10, 2, 0))),
    mistakes={
        "gaps in the wrong order: gap 1 is the one beside the left line": lambda y, mask, w, R, first: _fill(
            y, mask, w.unflatten(1, (-1, R - 1)).flip(2).flatten(1), R, first
        ),
        "coils and gaps exchanged: columns of w run coil by coil, each with its gaps": lambda y, mask, w, R, first: (
            _fill(y, mask, w.unflatten(1, (R - 1, -1)).transpose(1, 2).flatten(1), R, first)
        ),
        "one gap's weights for all: each gap has its own columns of w": lambda y, mask, w, R, first: _fill(
            y, mask, w.unflatten(1, (-1, R - 1))[..., :1].expand(-1, -1, R - 1).flatten(1), R, first
        ),
        "weights conjugated: they were fitted to S w": lambda y, mask, w, R, first: _fill(y, mask, w.conj(), R, first),
        "acquired lines overwritten: the calibration lines stay as they were measured": _overwritten,
    },
)
