"""Figures of inverse problems: paths of solvers over a landscape, and curves with chosen points on them."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from .picture import COLOURS, STYLES, WIDTH, Picture, chart, label_axes

Point = tuple[float, float]


def paths(
    objective: Callable[[Tensor], Tensor], tracks: dict[str, list[Tensor]], window: tuple[Point, Point]
) -> Picture:
    """Contours of an objective of two unknowns, (points, 2) -> (points,), and the iterates of solvers on it.

    tracks: {name: the iterates, each (2,)}; window: ((left, right), (bottom, top)).
    """
    (left, right), (bottom, top) = window
    x, y = torch.meshgrid(torch.linspace(left, right, 120), torch.linspace(bottom, top, 120), indexing="xy")
    height = objective(torch.stack([x, y], -1).reshape(-1, 2)).reshape(x.shape).numpy()
    picture, axis = chart(WIDTH * 0.6)
    levels = np.quantile(height, np.linspace(0.005, 0.95, 14))
    axis.contour(x.numpy(), y.numpy(), height, levels=np.unique(levels), colors="0.75", linewidths=0.8)
    for i, (name, points) in enumerate(tracks.items()):
        walked = torch.stack(points).numpy()
        axis.plot(walked[:, 0], walked[:, 1], STYLES[i % 4] + "o", color=COLOURS[i], markersize=3.5, label=name)
    label_axes(axis, "unknown 1", "unknown 2")
    picture.alt = "contours of an objective of two unknowns with the paths of " + ", ".join(
        f"{name} in {len(points) - 1} steps" for name, points in tracks.items()
    )
    return picture


def chosen(x: list[float], y: list[float], points: dict[str, int], x_label: str, y_label: str) -> Picture:
    """A curve over `x` and, on it, named points {name: index}."""
    picture, axis = chart(WIDTH * 0.6)
    axis.plot(x, y, color="0.6", linewidth=1.5)
    for i, (name, at) in enumerate(points.items()):
        size, colour = max(16 - 3 * i, 4), COLOURS[i % len(COLOURS)]  # rings of falling size: none hides another
        axis.plot(x[at], y[at], "osD^v"[i % 5], color=colour, fillstyle="none", markersize=size, label=name)
    label_axes(axis, x_label, y_label)
    picture.alt = f"{y_label} over {x_label}; " + "; ".join(
        f"{name} at {x[at]:.3g}, {y[at]:.3g}" for name, at in points.items()
    )
    return picture
