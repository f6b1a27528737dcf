"""Masks made of whole phase-encoding lines (columns of k-space); the centre is column W//2."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import CourseError

Lines = Float[Tensor, "1 1 1 width"]
Seed = int | tuple[int, ...]


def uniform(width: int, acceleration: float | int, calibration: int = 0, offset: int = 0) -> Lines:
    """Every `acceleration`-th line from `offset` on, plus `calibration` lines in the centre (SENSE, GRAPPA)."""
    _check(width, acceleration, calibration)
    if int(acceleration) != acceleration or not 0 <= offset < acceleration:
        raise CourseError(
            "uniform lines", "a whole acceleration and 0 <= offset < acceleration", f"{acceleration=}, {offset=}"
        )
    mask = _centre(width, calibration)
    mask[offset :: int(acceleration)] = 1
    return _lines(mask)


def random(width: int, acceleration: float | int, center_fraction: float | int, seed: Seed) -> Lines:
    """fastMRI's random mask: a full centre, every other line drawn alone so that W / acceleration lines are expected.

    The lines equal those of the official `RandomMaskFunc` (Zbontar et al., arXiv 1811.08839) with the same seed;
    fastMRI seeds with the characters of the file name, `tuple(map(ord, name))`.
    """
    low = round(width * center_fraction)
    _check(width, acceleration, low)
    probability = (width / acceleration - low) / max(width - low, 1)
    drawn = np.random.RandomState(seed).uniform(size=width) < probability
    return _lines(np.maximum(_centre(width, low), drawn))


def equispaced(width: int, acceleration: float | int, center_fraction: float | int, seed: Seed) -> Lines:
    """fastMRI's equispaced mask: a full centre, the rest spread so that W / acceleration lines are acquired.

    Equals the official `EquispacedMaskFractionFunc` with the same seed. The spacing is not a whole number, so the lines
    are rounded and their distances differ by one: GRAPPA needs `uniform` instead.
    """
    low = round(width * center_fraction)
    _check(width, acceleration, low)
    if low * acceleration >= width:
        raise CourseError(
            "equispaced mask", f"fewer than {width / acceleration:g} centre lines", f"{low}", "lower center_fraction"
        )
    spacing = acceleration * (low - width) / (low * acceleration - width)
    offset = np.random.RandomState(seed).randint(0, high=round(spacing))
    mask = _centre(width, low)
    mask[np.around(np.arange(offset, width - 1, spacing)).astype(int)] = 1
    return _lines(mask)


def kt(
    width: int, frames: int, acceleration: float | int, calibration: int = 4, power: float | int = 2.0, seed: Seed = 0
) -> Float[Tensor, "1 1 frames 1 width"]:
    """Variable-density random lines, drawn anew in each frame; `calibration` centre lines are shared by all frames.

    Every frame has round(W / acceleration) lines; the chance of a line falls as (1 - distance from the centre)^power
    (Lustig, Donoho & Pauly, Magn. Reson. Med. 2007).
    """
    _check(width, acceleration, calibration)
    lines = round(width / acceleration)
    if calibration > lines:
        raise CourseError("k-t mask", f"at most {lines} calibration lines", f"{calibration}", "lower calibration")
    centre, rng = _centre(width, calibration), np.random.RandomState(seed)
    chance = (1 - np.abs(np.arange(width) - width // 2) / (width / 2 + 1)) ** power * (1 - centre)
    masks = np.stack([centre] * frames)
    for mask in masks if lines > calibration else ():
        mask[rng.choice(width, lines - calibration, replace=False, p=chance / chance.sum())] = 1
    return torch.from_numpy(masks)[None, None, :, None, :]


def centre(size: int | tuple[int, int], factor: float) -> Float[Tensor, "1 1 rows width"]:
    """A scan of low resolution: only the central 1 / factor of the lines is acquired, without a gap.

    size: the width, for low resolution from left to right; (height, width) for a block that is low in both directions,
    with factor^2 times fewer samples.
    """
    sides = (size,) if isinstance(size, int) else size
    blocks = []
    for side in sides:
        if factor < 1 or round(side / factor) < 1:
            raise CourseError("low resolution", f"a factor from 1 to {side}", f"{factor}")
        blocks.append(_lines(_centre(side, round(side / factor))))
    return blocks[-1] if len(blocks) == 1 else blocks[0].transpose(-1, -2) * blocks[1]


def within(mask: Tensor, start: int, stop: int) -> Tensor:
    """The mask with the columns outside [start, stop) cleared: fastMRI's zero-padded columns were never acquired."""
    columns = torch.arange(mask.shape[-1], device=mask.device)
    return mask * ((columns >= start) & (columns < stop))


def _centre(width: int, lines: int) -> np.ndarray:
    mask, start = np.zeros(width, np.float32), (width - lines + 1) // 2
    mask[start : start + lines] = 1
    return mask


def _lines(mask: np.ndarray) -> Lines:
    return torch.from_numpy(mask.astype(np.float32))[None, None, None]


def _check(width: int, acceleration: float | int, centre: int) -> None:
    if width < 1 or acceleration < 1 or not 0 <= centre <= width:
        found = f"{width=}, {acceleration=}, {centre} centre lines"
        raise CourseError("mask", "width >= 1, acceleration >= 1 and at most `width` centre lines", found)
