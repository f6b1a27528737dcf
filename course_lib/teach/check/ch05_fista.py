"""Chapter 05, the algorithm that is faster: the momentum of FISTA."""

from collections.abc import Callable
from math import sqrt

import torch
from torch import Tensor

from ...solve import fista
from ..exercise import Exercise
from .ch05 import problems, step_of_ista

Advance = Callable[[Tensor], Tensor]
Watch = Callable[[Tensor], object]


def _fista(advance: Advance, x: Tensor, iterations: int, watch: Watch) -> Tensor:
    return fista(torch.zeros_like, lambda v, _: advance(v), x, 1.0, iterations, lambda x, _: watch(x))


def _variant(
    further: Callable = lambda x, before, z, w: x + w * (x - before),
    weight: Callable = lambda t_before, t: (t_before - 1) / t,
    result: Callable = lambda x, z: x,
) -> Callable:
    """FISTA with one of its lines replaced: the point ahead, the weight, what is returned."""

    def wrong(advance: Advance, x: Tensor, iterations: int, watch: Watch) -> Tensor:
        z, t = x, 1.0
        for _ in range(iterations):
            before, x = x, advance(z)
            t_before, t = t, (1 + sqrt(1 + 4 * t * t)) / 2
            z = further(x, before, z, weight(t_before, t))
            watch(x)
        return result(x, z)

    return wrong


def _watched(solution: Callable, advance: Advance, x: Tensor, iterations: int) -> tuple:
    """The result, and all that was watched."""
    seen: list[Tensor] = []
    last = solution(advance, x, iterations, lambda x: seen.append(x.clone()))
    return last, torch.stack(seen) if seen else torch.zeros(0)


ch05_momentum = Exercise(
    reference=_fista,
    cases=lambda: [
        (lambda z, p=(y, A, W, lam / 8, step): step_of_ista(z, *p), x, 6) for x, y, A, W, lam, step in problems()
    ],
    run=_watched,
    mistakes={
        "no momentum: this is ISTA; is `before` the iterate before this one, and does t change?": _variant(
            lambda x, before, z, w: x
        ),
        "backwards: go on in the direction x - before": _variant(lambda x, before, z, w: x - w * (x - before)),
        "momentum on the wrong iterate: start from the new x, not from the last point ahead": _variant(
            lambda x, before, z, w: z + w * (x - before)
        ),
        "direction from the wrong iterate: it is new x minus old x, not minus the point ahead": _variant(
            lambda x, before, z, w: x + w * (x - z)
        ),
        "weight from the new t alone: (old t - 1) / new t": _variant(weight=lambda t_before, t: (t - 1) / t),
        "weight upside down: (old t - 1) / new t is below 1": _variant(
            weight=lambda t_before, t: t / (t_before - 1) if t_before > 1 else 0.0
        ),
        "always the full way: the weight grows from 0 towards 1": _variant(weight=lambda t_before, t: 1.0),
        "it returns the point ahead: the threshold made x sparse, not z": _variant(result=lambda x, z: z),
        "nothing is watched: call watch(x) in every iteration": lambda advance, x, iterations, watch: _fista(
            advance, x, iterations, lambda x: None
        ),
    },
)
