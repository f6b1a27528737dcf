"""How the course shows what a training run did: losses on a logarithmic scale, told apart by colour and dashes."""

from math import isfinite

from .picture import COLOURS, SIZE, STYLES, WIDTH, Picture, chart, label_axes


def losses(
    series: dict[str, list[float]],
    x_label: str = "epoch",
    y_label: str = "loss",
    levels: dict[str, float] | None = None,
) -> Picture:
    """Loss curves {name: values from step 1 on}; `levels` {name: value} are drawn as thin horizontal lines.

    What is no number (a run that diverged) is left out of the curve.
    """
    picture, axis = chart(WIDTH * 0.8)
    for i, (name, values) in enumerate(series.items()):
        points = [(step, v) for step, v in enumerate(values, 1) if isfinite(v)]
        axis.semilogy(*zip(*points), color=COLOURS[i % 7], linestyle=STYLES[i % 4], linewidth=1.8, label=name)
    for i, (name, value) in enumerate((levels or {}).items()):
        axis.axhline(value, color="0.5", linestyle=STYLES[(i + 1) % 4], linewidth=0.9, label=name)
    label_axes(axis, x_label, y_label)
    axis.legend(fontsize=SIZE["text"], loc="upper left", bbox_to_anchor=(1.01, 1))  # beside the curves, not on them
    ends = [f"{name} from {v[0]:.3g} to {v[-1]:.3g}" for name, v in series.items()]
    ends += [f"{name} {value:.3g}" for name, value in (levels or {}).items()]
    picture.alt = f"{y_label} over {x_label}, logarithmic: " + "; ".join(ends)
    return picture
