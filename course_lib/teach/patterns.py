"""A dictionary of sampling patterns: each beside the image of a single point seen through it."""

import torch
from matplotlib.axes import Axes
from torch import Tensor

from ..ops import ramp
from ..sampling import effective_acceleration, psf, side_lobe, trajectory_psf
from .figures import GREY
from .picture import COLOURS, SIZE, Picture, colour_bar, draw, grid, plane

DECADES = -3  # the darkest shade: a thousandth of the peak


def dictionary(masks: dict[str, Tensor], trajectories: dict[str, Tensor], shape: tuple[int, int]) -> Picture:
    """Above the patterns, {name: mask} and {name: trajectory of spokes}; below their point spread, logarithmic.

    masks (1, 1, height or 1, width); trajectories (spokes, samples, 2), whose density is compensated by `ramp`. Under
    each spread stands its side-lobe-to-peak ratio: 1 is a full copy, or blur if it is next to the peak.
    """
    picture, axes = grid(2, len(masks) + len(trajectories), shape[0] / shape[1], 0.6)
    said = []
    for axis, (name, mask) in zip(axes[0], masks.items()):
        full = plane(mask.expand(1, 1, *shape), False)
        draw(axis, full, GREY, 0, 1)
        said.append(f"effective acceleration {effective_acceleration(mask):.2f}")
        _label(axis, name, f"effective R = {effective_acceleration(mask):.2f}")
    for axis, (name, spokes) in zip(axes[0][len(masks) :], trajectories.items()):
        _spokes(axis, spokes)
        said.append(f"{len(spokes)} spokes")
        _label(axis, name, f"{len(spokes)} spokes")
    spreads = [psf(mask.expand(1, 1, *shape)) for mask in masks.values()]
    spreads += [trajectory_psf(spokes, shape, ramp(spokes, shape)) for spokes in trajectories.values()]
    for axis, spread in zip(axes[1], spreads):
        drawn = draw(axis, plane(spread.abs().clamp_min(10.0**DECADES).log10(), False), GREY, DECADES, 0)
        axis.set_xlabel(f"side lobe {side_lobe(spread):.2f}", fontsize=SIZE["text"])
    colour_bar(picture, drawn, axes[1], "log10 of |PSF|")
    parts = zip([*masks, *trajectories], said, spreads)
    picture.alt = "; ".join(f"{name}: {what}, side lobe {side_lobe(spread):.2f}" for name, what, spread in parts)
    return picture


def _spokes(axis: Axes, spokes: Tensor) -> None:
    ends = torch.stack([spokes[:, 0], spokes[:, -1]], 1)
    for (ky, kx), (y, x) in ends.tolist():
        axis.plot([kx, x], [ky, y], color=COLOURS[0], linewidth=0.5)
    axis.set(xlim=(-0.5, 0.5), ylim=(0.5, -0.5), aspect="equal")


def _label(axis: Axes, title: str, below: str) -> None:
    axis.set_title(title, fontsize=SIZE["title"])
    axis.set_xlabel(below, fontsize=SIZE["text"])
