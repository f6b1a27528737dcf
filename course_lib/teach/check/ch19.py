"""Chapter 19: a split of what was measured, the loss on what was held out, the size of the noise, and the ball."""

from collections.abc import Callable
from math import ceil

import torch
from torch import Tensor

from ...losses import normalised
from ...ops import Sense, fft2c, ifft2c
from ..exercise import Exercise
from .ch15 import scans

Halves = tuple[Tensor, Tensor]


# ---------------------------------------------------------------- Theta and Lambda
def _largest(key: Tensor, free: Tensor, count: int) -> Tensor:
    """1 at the `count` largest keys among the free lines."""
    chosen = torch.where(free, key, -torch.inf).argsort(descending=True)[: min(count, int(free.sum()))]
    return torch.zeros_like(key).index_fill(0, chosen, 1.0)


def _free(mask: Tensor, centre: int = 4) -> Tensor:
    place = torch.arange(len(mask)) - len(mask) // 2
    return (mask > 0) & ~((place >= -(centre // 2)) & (place < centre - centre // 2))


def _halves(mask: Tensor, key: Tensor, rho: float) -> Halves:
    Lambda = _largest(key, _free(mask), ceil(rho * float(mask.sum())))
    return mask - Lambda, Lambda


def _overlapping(mask: Tensor, key: Tensor, rho: float) -> Halves:
    return mask, _halves(mask, key, rho)[1]


def _with_centre(mask: Tensor, key: Tensor, rho: float) -> Halves:
    Lambda = _largest(key, mask > 0, ceil(rho * float(mask.sum())))
    return mask - Lambda, Lambda


def _never_measured(mask: Tensor, key: Tensor, rho: float) -> Halves:
    Lambda = _largest(key, _free(torch.ones_like(mask)), ceil(rho * float(mask.sum())))
    return mask * (1 - Lambda), Lambda


def _of_the_free(mask: Tensor, key: Tensor, rho: float) -> Halves:
    Lambda = _largest(key, _free(mask), ceil(rho * float(_free(mask).sum())))
    return mask - Lambda, Lambda


def _of_the_width(mask: Tensor, key: Tensor, rho: float) -> Halves:
    Lambda = _largest(key, _free(mask), ceil(rho * len(mask)))
    return mask - Lambda, Lambda


def _masks() -> list[tuple[Tensor, Tensor, float]]:
    rng = torch.Generator().manual_seed(3)
    first = torch.tensor([1.0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 1, 0, 1, 1])
    second = torch.tensor([1.0, 1, 0, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1])
    keys = [torch.tensor([*torch.rand(len(mask), generator=rng).tolist()]) for mask in (first, second)]
    keys[0][[8, 4]], keys[1][[6, 2]] = torch.tensor([2.0, 1.5]), torch.tensor([2.0, 1.5])  # centre; never measured
    return [(first, keys[0], 0.4), (second, keys[1], 0.3)]


ch19_halves = Exercise(
    reference=_halves,
    cases=_masks,
    mistakes={
        "Theta keeps everything: what is held out must be taken from it, or nothing is held out": _overlapping,
        "the centre is held out: the four central lines stay in Theta": _with_centre,
        "lines that nobody measured are held out: Lambda is a part of the mask": _never_measured,
        "rho of the wrong number: it is a part of all acquired lines, the central ones counted": _of_the_free,
        "rho of all lines: it is a part of the acquired ones": _of_the_width,
        "Theta and Lambda are exchanged: Theta comes first, Lambda is what is held out": lambda mask, key, rho: _halves(
            mask, key, rho
        )[::-1],
        "the smallest keys: the largest are drawn": lambda mask, key, rho: _halves(mask, -key, rho),
    },
)


# ---------------------------------------------------------------- the loss on Lambda
Reconstruct = Callable[[Tensor, Sense], Tensor]


def _loss(
    seen: Callable[[Tensor, Tensor], Tensor] = lambda y, Theta: Theta * y,
    told: Callable[[Tensor, Tensor], Tensor] = lambda Theta, Lambda: Theta,
    judged: Callable[[Tensor, Tensor], Tensor] = lambda Theta, Lambda: Lambda,
    distance: Callable[[Tensor, Tensor], Tensor] = normalised,
) -> Callable[..., Tensor]:
    def loss(reconstruct: Reconstruct, y: Tensor, maps: Tensor, Theta: Tensor, Lambda: Tensor) -> Tensor:
        x = reconstruct(seen(y, Theta), Sense(told(Theta, Lambda), maps))
        on = judged(Theta, Lambda)
        return distance(Sense(on, maps)(x), on * y)

    return loss


def _norms(power: float, u: Tensor, v: Tensor) -> Tensor:
    return ((u - v).flatten(1).norm(power, 1) / v.flatten(1).norm(power, 1)).mean()


def _parts() -> list[tuple]:
    """A reconstruction that depends on its data and its operator, two scans, and their halves."""
    Theta = torch.tensor([1.0, 0, 0, 0, 1, 1, 0, 0])
    Lambda = torch.tensor([0, 0, 1.0, 0, 0, 0, 0, 1])
    answer = lambda y, A: 0.7 * A.H(y) - 0.2 * A.N(A.H(y)) + 0.1 * (A.maps.conj() * ifft2c(y)).sum(1)
    return [
        (answer, y, A.maps, *(half[: y.shape[-1]].reshape(1, 1, 1, -1) for half in (Theta, Lambda))) for y, A in scans()
    ]


ch19_held_out = Exercise(
    reference=_loss(),
    cases=_parts,
    mistakes={
        "it sees what it must predict: give it Theta * y, not all of y": _loss(seen=lambda y, Theta: y),
        "it is told of lines that it does not get: its operator has the mask Theta": _loss(
            told=lambda Theta, Lambda: Theta + Lambda
        ),
        "it sees and is told everything: then nothing is held out": _loss(
            seen=lambda y, Theta: y, told=lambda Theta, Lambda: Theta + Lambda
        ),
        "judged on what it saw: compare on Lambda": _loss(judged=lambda Theta, Lambda: Theta),
        "judged on all lines: those of Theta were given to it, compare on Lambda alone": _loss(
            judged=lambda Theta, Lambda: Theta + Lambda
        ),
        "Theta and Lambda are exchanged: it sees Theta and is judged on Lambda": _loss(
            lambda y, Theta: y, lambda Theta, Lambda: Lambda, lambda Theta, Lambda: Theta
        ),
        "squares alone: the mean of both relative norms": _loss(distance=lambda u, v: _norms(2, u, v)),
        "absolute values alone: the mean of both relative norms": _loss(distance=lambda u, v: _norms(1, u, v)),
        "half of it: the mean of the two norms, so each counts one half": _loss(
            distance=lambda u, v: 2 * normalised(u, v)
        ),
    },
)


# ---------------------------------------------------------------- the size of the noise
ch19_radius = Exercise(
    reference=lambda sigma, mask, coils, height: sigma * (float(mask.sum()) * coils * height) ** 0.5,
    cases=lambda: [(0.3, _masks()[0][0], 4, 20), (2.0, _masks()[1][0], 3, 7)],
    mistakes={
        "square root missing: the energies of the samples add up, not their sizes": lambda sigma, mask, coils, height: (
            sigma * float(mask.sum()) * coils * height
        ),
        "an energy: the norm is its square root": lambda sigma, mask, coils, height: (
            sigma**2 * float(mask.sum()) * coils * height
        ),
        "coils forgotten: each measures every line, with noise of its own": lambda sigma, mask, coils, height: (
            sigma * (float(mask.sum()) * height) ** 0.5
        ),
        "rows forgotten: a line has as many samples as the image has rows": lambda sigma, mask, coils, height: (
            sigma * (float(mask.sum()) * coils) ** 0.5
        ),
        "all lines: where nothing was measured there is no noise": lambda sigma, mask, coils, height: (
            sigma * (len(mask) * coils * height) ** 0.5
        ),
    },
)


# ---------------------------------------------------------------- the ball, one coil
def _ball(
    share: Callable[[Tensor, float], Tensor] = lambda size, epsilon: (1 - epsilon / size).clamp_min(0),
    of: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda y, k, mask: y - mask * k,
) -> Callable[..., Tensor]:
    def project(r: Tensor, y: Tensor, mask: Tensor, epsilon: float) -> Tensor:
        e = of(y, fft2c(r), mask)
        size = e.flatten(1).norm(dim=1).reshape(-1, 1, 1)
        return r + ifft2c(share(size, epsilon) * e)

    return project


def _proposals() -> list[tuple[Tensor, Tensor, Tensor, float]]:
    found = [(A.H(y).flip(-1), y[:, 0], A.mask[:, 0]) for y, A in scans()]
    size = [(y - mask * fft2c(r)).flatten(1).norm(dim=1) for r, y, mask in found]
    limits = float(size[0].mean()), 0.5 * float(size[1]), 2 * float(size[1])  # one of two inside; outside; inside
    return [(*found[i], epsilon) for i, epsilon in zip((0, 1, 1), limits)]


ch19_into_ball = Exercise(
    reference=_ball(),
    cases=_proposals,
    mistakes={
        "always onto the sphere: what is inside already stays where it is": _ball(
            lambda size, epsilon: 1 - epsilon / size
        ),
        "the data are put back: with epsilon > 0 they need not be met exactly": _ball(
            lambda size, epsilon: torch.ones_like(size)
        ),
        "too far: what is left of the misfit must be epsilon, so 1 - epsilon / size of it goes": _ball(
            lambda size, epsilon: (epsilon / size).clamp_max(1)
        ),
        "away from the data: e = y - A r points towards them": _ball(of=lambda y, k, mask: mask * k - y),
        "lines that nobody measured are moved: y is 0 there and says nothing": _ball(of=lambda y, k, mask: y - k),
        "one size for the whole batch: every sample has a misfit of its own": lambda r, y, mask, epsilon: (
            r + ifft2c((1 - epsilon / (y - mask * fft2c(r)).norm()).clamp_min(0) * (y - mask * fft2c(r)))
        ),
    },
    differentiable=True,
)
