"""The board in words: one table a task, the rank on simulated and on real data side by side."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..methods.base import card
from ..scores import Interval, bootstrap
from .entry import Entry
from .settings import settings

TITLES = (
    "rank", "real rank", "method", "PSNR", "- TV", "SSIM", "NRMSE", "real PSNR", "real - TV", "s a slice", "parameters",
    "trained s",
)  # fmt: skip
REFERENCE = "cs_tv"  # the tuned classical method that others are paired with


@dataclass(frozen=True)
class Line:
    """A method in one task: its rows, one a seed, as means over seeds."""

    method: str
    rows: tuple[dict, ...]
    fresh: bool

    def values(self, split: str, metric: str = "psnr") -> Tensor:
        """The metric of every slice, averaged over seeds."""
        return torch.tensor([row[split][metric] for row in self.rows], dtype=torch.float64).mean(0)

    def mean(self, split: str, metric: str = "psnr") -> float:
        return self.values(split, metric).mean().item()

    @property
    def real(self) -> bool:
        """Whether there is real data in the task."""
        return "real" in self.rows[0]

    @property
    def spread(self) -> float | None:
        """Standard deviation of the mean PSNR over seeds; None of one seed."""
        means = torch.tensor([row["test"]["psnr"] for row in self.rows]).mean(1)
        return means.std().item() if len(means) > 1 else None


def tasks(rows: Iterable[dict], entries: Iterable[Entry]) -> dict[tuple[str, int], list[Line]]:
    """(setting, R) -> lines, the best first. A row that no entry of today would give is not fresh."""
    now = {entry.now for entry in entries}
    found: dict[tuple[str, int], dict[str, list[dict]]] = {}
    for row in measured(rows):
        found.setdefault((row["setting"], row["acceleration"]), {}).setdefault(row["method"], []).append(row)
    lines = {
        task: [Line(m, tuple(r), all(row["fingerprint"] in now for row in r)) for m, r in methods.items()]
        for task, methods in found.items()
    }
    return {task: sorted(some, key=lambda line: -line.mean("test")) for task, some in sorted(lines.items())}


def measured(rows: Iterable[dict]) -> list[dict]:
    """Rows with metrics: those whose method could take the data."""
    return [row for row in rows if "test" in row]


def stale(rows: Iterable[dict], entries: Iterable[Entry]) -> list[dict]:
    """Rows made by other code, on other data or with another configuration than today's."""
    now = {entry.now for entry in entries}
    return [row for row in rows if row["fingerprint"] not in now]


def markdown(rows: Sequence[dict], entries: Sequence[Entry]) -> str:
    """Everything as Markdown."""
    parts = [_head(measured(rows))]
    for (setting, R), lines in tasks(rows, entries).items():
        task, one = settings()[setting], lines[0].rows[0]
        parts.append(f"## R = {R}: {task.words}\n\nEffective acceleration {one['effective']:.2f}.")
        parts.append(_table(lines))
        if lines[0].real and len(lines) > 1:
            parts.append(f"Kendall's tau between the two ranks: {kendall(lines):+.2f}.")
    reasons = [
        f"- {r['method']}, {r['setting']}, R = {r['acceleration']}: {r['reason']}" for r in rows if "reason" in r
    ]
    return "\n\n".join(parts + (["## Could not take part", "\n".join(reasons)] if reasons else [])) + "\n"


def kendall(lines: Sequence[Line]) -> float:
    """Rank correlation of the methods on the simulated subject and on the real scan: 1 same order, -1 reversed."""
    a, b = (torch.tensor([line.mean(split) for line in lines]) for split in ("test", "real"))
    agree = (a[:, None] - a).sign() * (b[:, None] - b).sign()
    return agree.triu(1).sum().item() / (len(lines) * (len(lines) - 1) / 2)


def _head(rows: Sequence[dict]) -> str:
    devices = ", ".join(sorted({row["device"] for row in rows}))
    return (
        f"# Leaderboard, profile {rows[0]['profile']}\n\n"
        f"Device: {devices}. Each network was trained for {rows[0]['allowed_seconds']:.0f} s on the training subjects, "
        "R = 4 and 8 mixed; knobs were tuned on the validation subjects. The rank is that of an unseen simulated "
        "subject; *real* is a scan that was never simulated. PSNR in dB, with 95 % bootstrap intervals over slices "
        "(one subject each: they do not speak of other people). `- TV` is the paired difference to tuned TV, ± the "
        "standard deviation over training seeds; † marks a stale row."
    )


def _table(lines: Sequence[Line]) -> str:
    real = sorted(lines, key=lambda line: -line.mean("real")) if lines[0].real else []
    text = ["| " + " | ".join(TITLES) + " |", "|" + "---|" * len(TITLES)]
    reference = next((line for line in lines if line.method == REFERENCE), None)
    for rank, line in enumerate(lines, 1):
        cells = [str(rank), str(real.index(line) + 1) if real else "", _name(line), _psnr(line)]
        cells += [
            _over(line, reference, "test"),
            f"{line.mean('test', 'ssim'):.3f}",
            f"{line.mean('test', 'nrmse'):.4f}",
        ]
        cells += [f"{line.mean('real'):.2f}", _over(line, reference, "real")] if real else ["", ""]
        first = line.rows[0]
        cells += [
            f"{first['test']['seconds']:.3f}",
            f"{first['parameters']:,}",
            f"{first.get('training_seconds', 0):.0f}",
        ]
        text.append("| " + " | ".join(cells) + " |")
    return "\n".join(text)


def _name(line: Line) -> str:
    ref = card(line.method).ref
    return line.method + (f" [{ref}]" if ref else "") + ("" if line.fresh else " †")


def _psnr(line: Line) -> str:
    return _words(bootstrap(line.values("test"))) + (f" ± {line.spread:.2f}" if line.spread is not None else "")


def _over(line: Line, reference: Line | None, split: str) -> str:
    if reference is None or line is reference:
        return ""
    return _words(bootstrap(line.values(split) - reference.values(split)), "+")


def _words(x: Interval, sign: str = "") -> str:
    return f"{x.mean:{sign}.2f} [{x.low:{sign}.2f}, {x.high:{sign}.2f}]"
