"""Numbers that say how two lists belong together, and how unequal one list is."""

import torch
from torch import Tensor

from ..scores import Interval


def slope(x: Tensor, y: Tensor) -> Tensor:
    """Least-squares slope of y (..., n) over x (n,): one number for each row of y."""
    x = (x - x.mean()).to(y)
    return (y * x).sum(-1) / x.square().sum()


def spearman(a: Tensor, b: Tensor) -> float:
    """Rank correlation of two lists of equal length."""
    ranks = [x.argsort().argsort().double() for x in (a, b)]
    return float(torch.corrcoef(torch.stack(ranks))[0, 1])


def gini(x: Tensor) -> float:
    """Gini index of the magnitudes: 0 when all are alike, towards 1 when few hold everything.

    The measure of sparsity that has all six properties of Hurley & Rickard, IEEE Trans. Inf. Theory 2009.
    """
    size = x.abs().flatten().double().sort().values
    n = len(size)
    rank = torch.arange(1, n + 1, dtype=size.dtype, device=size.device)
    return float(1 - 2 * (size / size.sum() * (n - rank + 0.5) / n).sum())


def words(effect: Interval, digits: int = 2) -> str:
    """A mean and its interval for a remark."""
    return f"{effect.mean:+.{digits}f} [{effect.low:+.{digits}f}, {effect.high:+.{digits}f}]"


def largest(x: Tensor, part: float = 0.1) -> float:
    """Share of the energy in the `part` largest magnitudes."""
    energy = x.abs().flatten().double().square().sort(descending=True).values
    return float(energy[: round(part * len(energy))].sum() / energy.sum())
