"""How good, and how sure: metrics of many slices, with bootstrap intervals and paired differences."""

from dataclasses import dataclass

import torch
from torch import Tensor

METRICS = ("nrmse", "psnr", "ssim")


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Scores:
    """One method on a list of slices: `values[metric]` holds one number a slice, `seconds` the time a slice."""

    values: dict[str, Tensor]
    seconds: float

    def mean(self, metric: str) -> float:
        return self.values[metric].mean().item()

    def interval(self, metric: str) -> Interval:
        return bootstrap(self.values[metric])

    def over(self, other: "Scores", metric: str = "psnr") -> Interval:
        """The paired difference self - other, slice by slice."""
        return bootstrap(self.values[metric] - other.values[metric])


def bootstrap(values: Tensor, draws: int = 2000, seed: int = 0) -> Interval:
    """Mean and 95 % percentile interval over resampled slices (Efron & Tibshirani 1993); one slice has no interval."""
    values = values.double()
    if len(values) < 2:
        return Interval(values.mean().item(), float("nan"), float("nan"))
    rng = torch.Generator().manual_seed(seed)
    picks = torch.randint(len(values), (draws, len(values)), generator=rng)
    low, high = values[picks].mean(1).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return Interval(values.mean().item(), low, high)


def table(rows: dict[str, Scores], baseline: str | None = None) -> str:
    """A text table, one method a row; with `baseline` the paired PSNR difference to that row."""
    width = max(map(len, rows)) + 2
    against = f"   PSNR - {baseline}" if baseline else ""
    lines = [f"{'':{width}}{'NRMSE':>8}{'PSNR':>8}{'SSIM':>8}{'s/slice':>9}{against}"]
    for name, scores in rows.items():
        line = f"{name:{width}}{scores.mean('nrmse'):8.4f}{scores.mean('psnr'):8.2f}{scores.mean('ssim'):8.3f}"
        line += f"{scores.seconds:9.3f}"
        if baseline and name != baseline:
            gain = scores.over(rows[baseline])
            line += f"   {gain.mean:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]"
        lines.append(line)
    return "\n".join(lines)
