"""The leaderboard as a picture: what quality costs, and whether it holds on the real scan."""

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from ..leaderboard import Line
from .picture import COLOURS, SIZE, WIDTH, Picture

LEARNS = ("nothing", "scan", "database")
A_NAME = 1.25 * SIZE["text"] / 72  # inches that a line of text is high


def board(lines: Sequence[Line], title: str) -> Picture:
    """PSNR of the simulated subject over seconds a slice, parameters, and PSNR of the real scan; numbers are ranks.

    `lines` is one task of `leaderboard.tasks`, the best first.
    """
    picture = Picture(figsize=(WIDTH, max(4.2, A_NAME * len(lines) + 1)), layout="constrained")
    axes = picture.subplots(1, 3, sharey=True)
    learned = [line for line in lines if line.rows[0]["parameters"]]
    _scatter(axes[0], lines, lines, lambda line: line.rows[0]["test"]["seconds"], "seconds a slice")
    _scatter(axes[1], lines, learned, lambda line: line.rows[0]["parameters"], "parameters")
    _scatter(
        axes[2], lines, [line for line in lines if line.real], lambda line: line.mean("real"), "PSNR (dB), real scan"
    )
    for axis in axes[: 2 if learned else 1]:
        axis.set_xscale("log")
        axis.xaxis.set_minor_formatter(NullFormatter())
    axes[0].set_ylabel("PSNR (dB), simulated subject", fontsize=SIZE["text"])
    picture.suptitle(title, fontsize=SIZE["title"])
    names = "\n".join(f"{rank:2} {line.method}" for rank, line in enumerate(lines, 1))
    axes[2].text(1.06, 1.0, names, transform=axes[2].transAxes, fontsize=SIZE["text"], va="top", family="monospace")
    axes[0].legend(fontsize=SIZE["text"], title="learns from", title_fontsize=SIZE["text"], loc="best")
    picture.alt = f"{title}: " + "; ".join(map(_words, lines))
    return picture


def _words(line: Line) -> str:
    return f"{line.method} {line.mean('test'):.1f} dB" + (f", real {line.mean('real'):.1f} dB" if line.real else "")


def _scatter(
    axis: Axes, ranked: Sequence[Line], some: Sequence[Line], value: Callable[[Line], float], label: str
) -> None:
    for kind, source in enumerate(LEARNS):
        chosen = [line for line in some if line.rows[0]["learns"] == source]
        points = [value(line) for line in chosen], [line.mean("test") for line in chosen]
        axis.scatter(*points, s=130, color=COLOURS[kind], marker="os^"[kind], alpha=0.25, label=source)
    for line in some:
        place = value(line), line.mean("test")
        axis.annotate(str(ranked.index(line) + 1), place, ha="center", va="center", fontsize=SIZE["text"])
    axis.set_xlabel(label, fontsize=SIZE["text"])
    axis.tick_params(labelsize=SIZE["text"])
    axis.grid(alpha=0.3)
