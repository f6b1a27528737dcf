"""What a mask says about itself."""

from collections.abc import Iterable
from typing import NamedTuple

from torch import Tensor

from ..errors import CourseError


def effective_acceleration(mask: Tensor) -> float:
    """All samples / acquired samples, calibration lines included: the number to report, not the nominal one."""
    acquired = mask.sum().item()
    if acquired == 0:
        raise CourseError("mask", "at least one acquired sample", "none")
    return mask.numel() / acquired


class Accelerations(NamedTuple):
    """Of many masks: the mean of their effective accelerations, the lowest and the highest."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} ({self.low:.2f} to {self.high:.2f})"


def effective_accelerations(masks: Iterable[Tensor]) -> Accelerations:
    """What to report of many scans: random masks of one nominal acceleration differ. Prints as 4.21 (3.76 to 4.92)."""
    found = [effective_acceleration(mask) for mask in masks]
    if not found:
        raise CourseError("accelerations", "at least one mask", "none")
    return Accelerations(sum(found) / len(found), min(found), max(found))


def acs(mask: Tensor) -> tuple[int, int]:
    """The columns [start, stop) around W//2 that are acquired without a gap, in every frame and slice.

    Of a two-dimensional mask the middle row is read. Empty, start == stop, when the centre column is missing.
    """
    lines = _columns(mask)
    start = stop = len(lines) // 2
    while stop < len(lines) and lines[stop]:
        stop += 1
    while start > 0 and lines[start - 1] and stop > len(lines) // 2:
        start -= 1
    return start, stop


def spacing(mask: Tensor) -> int:
    """The acceleration R of a regular mask, see `lattice`."""
    return lattice(mask)[0]


def lattice(mask: Tensor) -> tuple[int, int]:
    """The acceleration R and the first line of a regular mask: outside the centre block every R-th line is acquired.

    Raises CourseError for any other mask: random lines, fastMRI's rounded equispaced lines, points, lines that change.
    """
    lines, (start, stop) = _columns(mask), acs(mask)
    width = len(lines)
    outside = [i for i in range(width) if lines[i] and not start <= i < stop]
    alike = bool((mask == mask.reshape(-1, width)[0]).all())
    if all(lines) and alike:
        return 1, 0
    for step in range(2, width // 2 + 1) if outside and alike else ():
        regular = range(outside[0] % step, width, step)
        if all(lines[i] for i in regular) and all(i in regular for i in outside):
            return step, regular[0]
    raise CourseError("mask", "every R-th line and a centre block", "irregular lines", "make it with sampling.uniform")


def _columns(mask: Tensor) -> list[bool]:
    row = mask[..., mask.shape[-2] // 2, :]
    return (row.reshape(-1, row.shape[-1]) > 0).all(0).tolist()
