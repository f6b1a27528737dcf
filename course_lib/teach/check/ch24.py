"""Chapter 24: a paired interval, the agreement of two ranks, what is worth its price, and luck in training."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..exercise import Exercise

EDGES = torch.tensor([0.025, 0.975], dtype=torch.float64)


# ---------------------------------------------------------------- a paired difference and its interval
def _interval(middle: Tensor, means: Tensor, edges: Tensor = EDGES) -> tuple[float, float, float]:
    low, high = means.quantile(edges).tolist()
    return float(middle), low, high


def _paired(a: Tensor, b: Tensor, picks: Tensor) -> tuple[float, float, float]:
    d = a - b
    return _interval(d.mean(), d[picks].mean(1))


def _apart(a: Tensor, b: Tensor, picks: Tensor) -> tuple[float, float, float]:
    return _interval((a - b).mean(), a[picks].mean(1) - b[picks.flip(0)].mean(1))


def _gaussian(a: Tensor, b: Tensor, picks: Tensor) -> tuple[float, float, float]:
    d = a - b
    return float(d.mean()), float(d.mean() - 2 * d.std()), float(d.mean() + 2 * d.std())


def _differences() -> list[tuple]:
    rng = torch.Generator().manual_seed(24)
    cases = []
    for n in (5, 12):
        hard = 4 * torch.randn(n, generator=rng, dtype=torch.float64)
        a, b = (30 + hard + 0.5 * torch.randn(n, generator=rng, dtype=torch.float64) for _ in "ab")
        cases.append((a + 0.7, b, torch.randint(n, (400, n), generator=rng)))
    return cases


ch24_paired = Exercise(
    reference=_paired,
    cases=_differences,
    mistakes={
        "b minus a: a positive difference should speak for a": lambda a, b, picks: _paired(b, a, picks),
        "not paired: both methods must be drawn on the same slices, or hard slices blur the difference": _apart,
        "spread of slices: an interval for the mean comes from the means of the draws": lambda a, b, picks: _interval(
            (a - b).mean(), a - b
        ),
        "mean plus and minus two standard deviations: that is where slices lie, not their mean": _gaussian,
        "means over the wrong axis: each row of picks is one draw": lambda a, b, picks: _interval(
            (a - b).mean(), (a - b)[picks].mean(0)
        ),
        "90 percent: leave 2.5 % out at each end": lambda a, b, picks: _interval(
            (a - b).mean(), (a - b)[picks].mean(1), torch.tensor([0.05, 0.95], dtype=torch.float64)
        ),
    },
)


# ---------------------------------------------------------------- do two ranks agree?
def _agreement(a: Tensor, b: Tensor) -> Tensor:
    """+1 for a pair of methods in the same order in both, -1 for one that is not; above the diagonal."""
    return torch.triu((a[:, None] - a).sign() * (b[:, None] - b).sign(), 1)


def _tau(a: Tensor, b: Tensor) -> float:
    return float(_agreement(a, b).sum() / (len(a) * (len(a) - 1) / 2))


def _correlation(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a, b]))[0, 1])


def _ranks(x: Tensor) -> Tensor:
    return x.argsort().argsort().double()


def _scores() -> list[tuple]:
    rng = torch.Generator().manual_seed(25)
    cases = []
    for n in (4, 9):
        a = torch.randn(n, generator=rng, dtype=torch.float64)
        cases.append((a, a + 0.8 * torch.randn(n, generator=rng, dtype=torch.float64)))
    return cases


ch24_tau = Exercise(
    reference=_tau,
    cases=_scores,
    mistakes={
        "Pearson's correlation: it looks at the values; tau asks only for the order": _correlation,
        "Spearman's correlation: a fair measure, but not this one": lambda a, b: _correlation(_ranks(a), _ranks(b)),
        "pairs counted twice: i < j, or divide by n (n - 1)": lambda a, b: 2 * _tau(a, b),
        "divided by n squared: a method and itself are no pair": lambda a, b: (
            _tau(a, b) * (len(a) - 1) / len(a)
        ),
        "only agreement is counted: pairs in the opposite order count -1": lambda a, b: (_tau(a, b) + 1) / 2,
        "not divided by the number of pairs: more would agree better": lambda a, b: float(_agreement(a, b).sum()),
    },
)  # fmt: skip


# ---------------------------------------------------------------- what is worth its price
Beats = Callable[[Tensor, Tensor], Tensor]  # (cost of j minus cost of i, quality of j minus quality of i) -> j beats i


def _unbeaten(beats: Beats) -> Callable[[Tensor, Tensor], Tensor]:
    """1.0 for each method that no other one beats."""
    return lambda cost, quality: (
        1.0 - beats(cost[None] - cost[:, None], quality[None] - quality[:, None]).any(1).float()
    )


def _prices() -> list[tuple]:
    rng = torch.Generator().manual_seed(26)
    cases = [(torch.rand(n, generator=rng), torch.rand(n, generator=rng)) for n in (6, 15)]
    return [*cases, (torch.tensor([1.0, 2.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 1.5, 2.0]))]


ch24_front = Exercise(
    reference=lambda cost, quality: _unbeaten(lambda c, q: (c <= 0) & (q >= 0) & ((c < 0) | (q > 0)))(
        cost, quality
    ).bool(),
    cases=_prices,
    run=lambda solution, *arguments: _as_numbers(solution(*arguments)),
    mistakes={
        "quality the wrong way round: more is better": lambda cost, quality: _unbeaten(lambda c, q: (c < 0) & (q < 0))(
            cost, quality
        ),
        "cost the wrong way round: less is better": lambda cost, quality: _unbeaten(lambda c, q: (c > 0) & (q > 0))(
            cost, quality
        ),
        "everything is beaten: a method does not beat itself, nor one that is equal": lambda cost, quality: _unbeaten(
            lambda c, q: (c <= 0) & (q >= 0)
        )(cost, quality),
        "the best alone: a cheaper method that is worse may still be on the front": lambda cost, quality: _unbeaten(
            lambda c, q: q > 0
        )(cost, quality),
        "the cheapest alone: a better method that costs more may still be on the front": lambda cost, quality: (
            _unbeaten(lambda c, q: c < 0)(cost, quality)
        ),
        "ties forgotten: equal in one and better in the other beats, too": lambda cost, quality: _unbeaten(
            lambda c, q: (c < 0) & (q > 0)
        )(cost, quality),
    },
)


def _as_numbers(front: object) -> object:
    return front.float() if isinstance(front, Tensor) else front


# ---------------------------------------------------------------- what luck in training does
def _trainings() -> list[tuple]:
    rng = torch.Generator().manual_seed(27)
    return [
        (30 + 3 * torch.randn(1, n, generator=rng) + 0.4 * torch.randn(seeds, n, generator=rng),)
        for seeds, n in ((3, 12), (4, 5))
    ]


ch24_luck = Exercise(
    reference=lambda psnr: float(psnr.mean(1).std()),
    cases=_trainings,
    mistakes={
        "spread over slices: that says how different slices are, not trainings": lambda psnr: float(psnr.mean(0).std()),
        "spread of everything: slices and trainings are mixed": lambda psnr: float(psnr.std()),
        "spread of each slice, then the mean: slices average out within a training": lambda psnr: float(
            psnr.std(0).mean()
        ),
        "divided by n: from few trainings, divide by n - 1": lambda psnr: float(psnr.mean(1).std(correction=0)),
        "range: asked is the standard deviation": lambda psnr: float(psnr.mean(1).max() - psnr.mean(1).min()),
    },
)
