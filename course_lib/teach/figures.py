"""How the whole course shows things: images in one grey window, signed errors, k-space, masks, coil maps, curves.

Every function returns a `Picture`: a matplotlib figure that a notebook shows by itself, with its words in `alt`.
Nothing global is changed, and pyplot is not used. An array that is shown has one slice, (height, width) with leading
axes of length 1, real or complex. Our own data are stored upright; fastMRI's files are not: `flip=True` turns them.
"""

from collections.abc import Callable
from math import ceil

import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.patches import Rectangle
from torch import Tensor

from .. import metrics
from ..sampling import effective_acceleration
from ..train import Run
from .picture import (  # isort: split
    COLOURS,
    SIZE,
    STYLES,
    WIDTH,
    Box,
    Picture,
    Window,
    chart,
    colour_bar,
    draw,
    grid,
    label_axes,
    part,
    plane,
    same_size,
)

LEVELS = 49  # shades of a coloured scale: small files; the middle of SIGNED is white
GREY = colormaps["gray"]  # 256 shades: with fewer, every image would look blocky
SIGNED, POSITIVE, CYCLIC = (colormaps[name].resampled(LEVELS) for name in ("RdBu_r", "viridis", "twilight"))


def images(
    panels: dict[str, Tensor],
    truth: Tensor | None = None,
    zoom: Box | None = None,
    window: Window | None = None,
    error_limit: float | None = None,
    truth_title: str = "truth",
    flip: bool = False,
) -> Picture:
    """Magnitudes side by side in one grey window, {title: image}.

    With `truth` it comes first, the metrics stand under each panel, and a row shows |image| - |truth| with its sign,
    on a scale that is symmetric and holds all errors unless `error_limit` says otherwise. `zoom` (first row, first
    column, rows, columns) adds a row with that part, enlarged, in a window of its own: nine tenths of the pixels of the
    first panel's part lie in it. window: (black, white); by default from 0 to a level that half a percent of the pixels
    of the truth, else of the brightest panel, exceed.
    """
    shown = {name: plane(x, flip).abs() for name, x in panels.items()}
    reference = None if truth is None else plane(truth, flip).abs()
    if reference is not None:
        shown = {truth_title: reference} | shown
    same_size(shown)
    low, high = window or (0.0, max(white(x) for x in ([reference] if reference is not None else shown.values())))
    rows = 1 + (zoom is not None) + (reference is not None)
    height, width = next(iter(shown.values())).shape
    picture, axes = grid(rows, len(shown), height / width, 0.75 if reference is not None else 0.3)
    for axis, (name, x) in zip(axes[0], shown.items()):
        draw(axis, x, GREY, low, high)
        axis.set_title(name, fontsize=SIZE["title"])
        if zoom is not None:
            axis.add_patch(Rectangle((zoom[1] - 0.5, zoom[0] - 0.5), zoom[3], zoom[2], fill=False, edgecolor="#E69F00"))
    if zoom is not None:
        parts = [part(x, zoom) for x in shown.values()]
        dark, bright = narrow(parts[0])
        for axis, x in zip(axes[1], parts):
            draw(axis, x, GREY, dark, bright)
        axes[1][0].set_ylabel(f"grey from {dark:.2g} to {bright:.2g}", fontsize=SIZE["text"])
    if reference is not None:
        _errors(picture, axes, list(shown.values()), error_limit)
    picture.alt = "; ".join([*(_said(name, x, reference) for name, x in shown.items())])
    return picture


def kspace(panels: dict[str, Tensor], flip: bool = False) -> Picture:
    """The magnitude of k-space on a logarithmic scale, {title: (..., height, width)}; coils are summed as energy."""
    energy = {name: k.abs().square().reshape(-1, *k.shape[-2:]).sum(0).sqrt() for name, k in panels.items()}
    same_size(energy)
    largest = max(float(x.max()) for x in energy.values())
    height, width = next(iter(energy.values())).shape
    picture, axes = grid(1, len(panels), height / width, 0.3)
    for axis, (name, x) in zip(axes[0], energy.items()):
        decades = (plane(x, flip) / largest).clamp_min(1e-5).log10()
        drawn = draw(axis, decades, GREY, -5, 0)
        axis.set_title(name, fontsize=SIZE["title"])
    colour_bar(picture, drawn, axes[0], "log10 of magnitude over its largest")
    picture.alt = "k-space magnitude, logarithmic: " + ", ".join(panels)
    return picture


def mask(masks: dict[str, Tensor]) -> Picture:
    """Which samples are acquired (white), {title: mask}; the effective acceleration of each stands under it."""
    width = max(m.shape[-1] for m in masks.values())
    picture, axes = grid(1, len(masks), 1.0, 0.5)
    said = []
    for axis, (name, m) in zip(axes[0], masks.items()):
        samples = plane(m, False)
        samples = samples.expand(width if len(samples) == 1 else -1, -1)
        draw(axis, samples, GREY, 0, 1)
        axis.set_title(name, fontsize=SIZE["title"])
        axis.set_xlabel(f"effective R = {effective_acceleration(m):.2f}", fontsize=SIZE["text"])
        said.append(f"{name}: effective acceleration {effective_acceleration(m):.2f}")
    picture.alt = "sampling masks; " + "; ".join(said)
    return picture


def maps(coils: Tensor, flip: bool = False, columns: int = 7) -> Picture:
    """Coil maps (1, coil, height, width): magnitudes in one grey window and, below each, phases on a cyclic scale."""
    coils = coils.reshape(-1, *coils.shape[-2:])
    blocks = ceil(len(coils) / columns)
    picture, axes = grid(2 * blocks, min(columns, len(coils)), coils.shape[-2] / coils.shape[-1], 0.25 * blocks)
    for axis in (a for row in axes for a in row):
        axis.set_axis_off()
    high = float(coils.abs().max())
    for i, coil in enumerate(coils):
        above, below = axes[2 * (i // columns)][i % columns], axes[2 * (i // columns) + 1][i % columns]
        drawn = draw(above, plane(coil, flip).abs(), GREY, 0, high)
        angle = plane(coil, flip).angle().where(plane(coil, flip).abs() > 0, torch.nan)
        phase = draw(below, angle, CYCLIC, -torch.pi, torch.pi)
        above.set_title(f"coil {i + 1}", fontsize=SIZE["text"])
    colour_bar(picture, drawn, axes[0], "magnitude")
    colour_bar(picture, phase, axes[1], "phase (rad)")
    picture.alt = f"{len(coils)} coil maps, magnitude in grey and phase in colour"
    return picture


def heat(
    panels: dict[str, Tensor], label: str, window: Window | None = None, flip: bool = False, scale: Colormap = POSITIVE
) -> Picture:
    """A quantity, {title: values}, on one colour scale with its bar; NaN stays white. Medians under each.

    scale: for positive numbers by default; `CYCLIC` for phases.
    """
    shown = {name: plane(x, flip) for name, x in panels.items()}
    same_size(shown)
    low, high = window or (0.0, max(float(x.nan_to_num(0).max()) for x in shown.values()))
    height, width = next(iter(shown.values())).shape
    picture, axes = grid(1, len(shown), height / width, 0.5)
    for axis, (name, x) in zip(axes[0], shown.items()):
        drawn = draw(axis, x, scale, low, high)
        axis.set_title(name, fontsize=SIZE["title"])
        axis.set_xlabel(f"median {float(x.nanmedian()):.3g}", fontsize=SIZE["text"])
    colour_bar(picture, drawn, axes[0], label, beyond=any(bool((x > high).any()) for x in shown.values()))
    picture.alt = f"{label}: " + "; ".join(f"{name}, median {float(x.nanmedian()):.3g}" for name, x in shown.items())
    return picture


def lines(
    series: dict[str, list[float]],
    x_label: str,
    y_label: str,
    x: list[float] | None = None,
    lowest: bool = False,
    log: bool = False,
) -> Picture:
    """Curves {name: values} over `x` (1, 2, ...), told apart by colour and dashes; `lowest` marks each minimum.

    log: a logarithmic scale for the values, which must be positive.
    """
    picture, axis = chart(WIDTH * 0.6)
    axis.set_yscale("log" if log else "linear")
    for i, (name, values) in enumerate(series.items()):
        where = x or list(range(1, len(values) + 1))
        colour, style = COLOURS[i % len(COLOURS)], STYLES[i % len(STYLES)]
        axis.plot(where, values, color=colour, linestyle=style, linewidth=1.8, label=name)
        if lowest:
            best = min(range(len(values)), key=values.__getitem__)
            axis.plot(where[best], values[best], "o", color=colour)
    label_axes(axis, x_label, y_label)
    ends = (f"{name} from {v[0]:.3g} to {v[-1]:.3g}, lowest {min(v):.3g}" for name, v in series.items())
    picture.alt = f"{y_label} over {x_label}: " + "; ".join(ends)
    return picture


def curves(run: Run, baselines: dict[str, float] | None = None) -> Picture:
    """A training run: the loss of each step, and the validation PSNR over time with dashed lines for the baselines."""
    picture = Picture(figsize=(WIDTH, 3.2), layout="constrained")
    left, right = picture.subplots(1, 2)
    smooth = torch.tensor(run.losses).unfold(0, min(20, run.steps), 1).mean(1)
    left.plot(run.losses, color="0.8", linewidth=0.8, label="each step")
    left.plot(range(run.steps - len(smooth), run.steps), smooth.numpy(), color=COLOURS[0], label="mean of 20")
    left.set_yscale("log" if min(run.losses) > 0 else "linear")  # a critic's opinion may be negative
    label_axes(left, "step", "training loss")
    seconds, psnr = zip(*run.validation)
    right.plot(seconds, psnr, "o-", color=COLOURS[0], label="this network")
    for i, (name, value) in enumerate((baselines or {}).items()):
        right.axhline(value, color=COLOURS[(i + 1) % len(COLOURS)], linestyle="--", label=name)
    label_axes(right, "seconds", "validation PSNR (dB)")
    beside = "".join(f"; {name} {value:.2f} dB" for name, value in (baselines or {}).items())
    picture.alt = f"loss over {run.steps} steps; validation PSNR from {psnr[0]:.2f} to {psnr[-1]:.2f} dB{beside}"
    return picture


def narrow(x: Tensor) -> Window:
    """Levels that leave a twentieth of the pixels darker and a twentieth brighter; never the same one twice."""
    low, high = x.flatten().quantile(torch.tensor([0.05, 0.95], dtype=x.dtype)).tolist()
    return (low, high) if high > low else (low, low + 1.0)


def white(x: Tensor) -> float:
    """The level that half a percent of the pixels exceed: shown as white."""
    return float(x.flatten().kthvalue(max(1, int(0.995 * x.numel()))).values)


def _errors(picture: Picture, axes: list[list[Axes]], shown: list[Tensor], limit: float | None) -> None:
    """The last row: signed errors against the first panel; metrics go under it."""
    errors = [x - shown[0] for x in shown[1:]]
    largest = max((float(e.abs().max()) for e in errors), default=0.0)
    limit = limit or largest or 1.0
    axes[-1][0].set_axis_off()
    for axis, x, error in zip(axes[-1][1:], shown[1:], errors):
        drawn = draw(axis, error, SIGNED, -limit, limit)
        axis.set_xlabel(_numbers(x, shown[0]), fontsize=SIZE["text"])
    if errors:
        colour_bar(picture, drawn, axes[-1], "error of the magnitude", beyond=largest > limit, signed=True)


def _numbers(x: Tensor, truth: Tensor, between: str = "\n") -> str:
    nrmse, psnr, ssim = (float(f(x[None], truth[None])) for f in _metrics())
    return f"NRMSE {nrmse:.3f}{between}PSNR {psnr:.1f} dB{between}SSIM {ssim:.3f}"


def _metrics() -> tuple[Callable, ...]:
    return metrics.nrmse, metrics.psnr, metrics.ssim


def _said(name: str, x: Tensor, truth: Tensor | None) -> str:
    return name if truth is None or x is truth else f"{name}: {_numbers(x, truth, ', ')}"
