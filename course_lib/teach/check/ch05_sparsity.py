"""Chapter 05, measures of sparsity: the energy that few coefficients hold, total variation."""

from collections.abc import Callable

import torch
from torch import Tensor

from ...experiments.sparsity import differences
from ...experiments.statistics import largest
from ...ops import FiniteDifference
from ..exercise import Exercise
from .cases import images


def _energy(size: Tensor, part: float) -> float:
    """Share of the first `part` in the sum of all of `size`."""
    return float(size.flatten()[: round(part * size.numel())].sum() / size.sum())


def _ordered(x: Tensor, descending: bool = True) -> Tensor:
    return x.flatten().sort(descending=descending).values


def _row_by_row(x: Tensor, part: float) -> float:
    rows = x.abs().square().sort(-1, descending=True).values
    return float(rows[..., : round(part * x.shape[-1])].sum() / rows.sum())


ch05_energy = Exercise(
    reference=largest,
    cases=lambda: [(x, part) for x, part in zip(images((8, 8), (7, 6), (5, 12)), (0.1, 0.25, 0.5), strict=True)],
    mistakes={
        "magnitudes: energy is the squared magnitude": lambda x, part: _energy(_ordered(x.abs()), part),
        "the smallest: sort from large to small": lambda x, part: _energy(_ordered(x.abs().square(), False), part),
        "not sorted: the first are not the largest": lambda x, part: _energy(x.abs().square(), part),
        "real part only: the magnitude of a complex number has two parts": lambda x, part: largest(x.real, part),
        "what is left: this is the energy of all the others": lambda x, part: 1 - largest(x, part),
        "a relative length: energy has no root": lambda x, part: largest(x, part) ** 0.5,
        "not a share: divide by the energy of all": lambda x, part: float(largest(x, part) * x.abs().square().sum()),
        "row by row: the largest of the whole array": _row_by_row,
    },
)


def _variation(x: Tensor, length: Callable[[Tensor], Tensor]) -> Tensor:
    """The sum over the pixels of the `length` of (down, right), for each image."""
    return length(FiniteDifference()(x)).sum((-2, -1))


def _euclidean(d: Tensor) -> Tensor:
    return d.abs().square().sum(1).sqrt()


def _periodic(x: Tensor) -> Tensor:
    return torch.stack([x.roll(-1, -2) - x, x.roll(-1, -1) - x], 1)


ch05_variation = Exercise(
    reference=lambda x: differences(x).sum((-2, -1)),
    cases=lambda: [(x,) for x in (*images((6, 6), (5, 8)), torch.cat(list(images((7, 6), (7, 6)))))],
    mistakes={
        "each direction by itself: |(a, b)| is a root of squares, not |a| + |b|": lambda x: _variation(
            x, lambda d: d.abs().sum(1)
        ),
        "differences of the magnitude: the phase of a complex image changes too": lambda x: _variation(
            x.abs(), _euclidean
        ),
        "real part only: use the magnitude of each difference": lambda x: _variation(x.real, _euclidean),
        "round the edge: the last row and column have no next": lambda x: _euclidean(_periodic(x)).sum((-2, -1)),
        "the edge is left out: in the last row there is still a difference to the right": lambda x: _euclidean(
            FiniteDifference()(x)[..., :-1, :-1]
        ).sum((-2, -1)),
        "root missing: squares punish edges": lambda x: _variation(x, lambda d: d.abs().square().sum(1)),
        "root of the sum: one length for each pixel, then the sum": lambda x: _variation(
            x, lambda d: d.abs().square().sum(1)
        ).sqrt(),
        "one direction only: down and right": lambda x: _variation(x, lambda d: d[:, 1].abs()),
        "summed over the batch: one number for each image": lambda x: differences(x).sum(),
    },
)
