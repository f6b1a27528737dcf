"""Chapter 24, as learners write it: solutions that are right in another way, and planted mistakes."""

import itertools

import numpy as np
import torch


def paired(share=95, sign=1, axis=1):
    """With numpy's percentiles."""

    def interval(a, b, picks):
        d = sign * (a - b).numpy()
        means = d[picks.numpy()].mean(axis)
        low, high = np.percentile(means, [(100 - share) / 2, (100 + share) / 2])
        return d.mean(), low, high

    return interval


def of_slices(a, b, picks):
    d = (a - b).numpy()
    return d.mean(), np.percentile(d, 2.5), np.percentile(d, 97.5)


def two_sigma(a, b, picks):
    d = a - b
    return d.mean().item(), (d.mean() - 2 * d.std()).item(), (d.mean() + 2 * d.std()).item()


def tau(twice=1, only=False):
    """Pair by pair."""

    def counted(a, b):
        total, pairs = 0, 0
        for i, j in itertools.combinations(range(len(a)), 2):
            same = (a[i] < a[j]) == (b[i] < b[j])
            total += 1 if same else 0 if only else -1
            pairs += 1
        return twice * total / pairs

    return counted


def front(cost, quality):
    """From the cheapest on: whoever is better than all that cost less."""
    on = torch.zeros(len(cost), dtype=torch.bool)
    best = -torch.inf
    for i in sorted(range(len(cost)), key=lambda i: (cost[i].item(), -quality[i].item())):
        on[i] = quality[i] > best
        best = max(best, quality[i].item())
    return on


def never_beaten(beats):
    return lambda cost, quality: torch.tensor(
        [not any(beats(cost[j] - cost[i], quality[j] - quality[i]) for j in range(len(cost))) for i in range(len(cost))]
    )


def luck(psnr):
    means = [float(sum(row)) / len(row) for row in psnr]
    middle = sum(means) / len(means)
    return (sum((m - middle) ** 2 for m in means) / (len(means) - 1)) ** 0.5


RIGHT = {"ch24_paired": paired(), "ch24_tau": tau(), "ch24_front": front, "ch24_luck": luck}

WRONG = {
    "ch24_paired": {
        "b minus a": paired(sign=-1),
        "90 percent": paired(share=90),
        "means over the wrong axis": paired(axis=0),
        "spread of slices": of_slices,
        "mean plus and minus two standard deviations": two_sigma,
        "wrong number of results": lambda a, b, picks: paired()(a, b, picks)[1:],
    },
    "ch24_tau": {
        "only agreement is counted": tau(only=True),
        "pairs counted twice": tau(twice=2),
        "Pearson's correlation": lambda a, b: np.corrcoef(a.numpy(), b.numpy())[0, 1],
    },
    "ch24_front": {
        "the best alone": lambda cost, quality: quality == quality.max(),
        "the cheapest alone": lambda cost, quality: cost == cost.min(),
        "quality the wrong way round": never_beaten(lambda c, q: c < 0 and q < 0),
        "everything is beaten": never_beaten(lambda c, q: c <= 0 and q >= 0),
        "ties forgotten": never_beaten(lambda c, q: c < 0 and q > 0),
    },
    "ch24_luck": {
        "spread over slices": lambda psnr: np.std(psnr.numpy().mean(0), ddof=1),
        "divided by n": lambda psnr: np.std(psnr.numpy().mean(1)),
        "spread of everything": lambda psnr: psnr.std().item(),
    },
}
