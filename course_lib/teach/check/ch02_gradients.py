"""Chapter 02: conjugate gradients, step by step."""

from collections.abc import Callable

import torch
from torch import Tensor

from ...solve import cg
from ...solve.linear import Map
from ..exercise import Exercise
from .cases import images

Steps = list[Tensor]


def _hermitian(n: int) -> Tensor:
    E = next(images((n + 2, n)))[0].to(torch.complex128)
    return E.mH @ E


def _times(matrix: Tensor) -> Map:
    return lambda x: (matrix @ x.flatten()).reshape(x.shape)


def _equations() -> list[tuple[Map, Tensor, Tensor, int]]:
    """(N, b, x, iterations): vectors and images, from 0 and from elsewhere, with fewer steps than unknowns."""
    shapes = ((5,), (2, 3), (1, 3, 3))
    drawn = images(*(shape for shape in shapes for _ in "bx"))
    b, x, c, z, d, _ = (v[0].to(torch.complex128) for v in drawn)
    return [(_times(_hermitian(5)), b, x, 3), (_times(_hermitian(6)), c, z, 4), (_times(_hermitian(9)), d, 0 * d, 2)]


def _library(N: Map, b: Tensor, x: Tensor, iterations: int) -> Steps:
    steps: Steps = []
    cg(lambda v: N(v[0])[None], b[None], x[None], iterations, watch=lambda v, _: steps.append(v[0]))
    return steps


def _inner(a: Tensor, b: Tensor) -> Tensor:
    return torch.vdot(a.flatten(), b.flatten())


def _variant(
    inner: Callable = _inner,
    first: Callable = lambda N, b, x: b - N(x),
    curvature: Callable = lambda p, q: _inner(p, q),
    update: Callable = lambda r, move, step, q: r - step * q,
    turn: Callable = lambda r, before, p, weight: r + weight * p,
    weight: Callable = lambda new, old: new / old,
) -> Callable[[Map, Tensor, Tensor, int], Steps]:
    """Conjugate gradients with one of their lines replaced."""

    def run(N: Map, b: Tensor, x: Tensor, iterations: int) -> Steps:
        r = p = first(N, b, x)
        steps: Steps = []
        for _ in range(iterations):
            q = N(p)
            step = inner(r, r) / (curvature(p, q) if inner is _inner else inner(p, q))
            x, before = x + step * p, r
            r = update(r, step * p, step, q)
            p = turn(r, before, p, weight(inner(r, r), inner(before, before)))
            steps.append(x)
        return steps

    return run


ch02_cg = Exercise(
    reference=_library,
    cases=_equations,
    mistakes={
        "inner product not conjugated: <a, b> is the sum of conj(a) b": _variant(lambda a, b: (a * b).sum()),
        "start forgotten: the first residual is b - N x": _variant(first=lambda N, b, x: b),
        "residual not updated: it falls by step times N p": _variant(update=lambda r, move, step, q: r),
        "residual updated with p: the data of the step are N p": _variant(update=lambda r, move, step, q: r - move),
        "residual grows: b - N x falls when x gains step times p": _variant(
            update=lambda r, move, step, q: r + step * q
        ),
        "steepest descent: the new direction keeps a part of the old one": _variant(turn=lambda r, before, p, w: r),
        "old residual in the direction: update r first, then p": _variant(
            turn=lambda r, before, p, w: before + w * p
        ),
        "weight upside down: the new squared residual over the old one": _variant(weight=lambda new, old: old / new),
        "weight not squared: it is a quotient of squared lengths": _variant(weight=lambda new, old: (new / old) ** 0.5),
        "direction reversed: add the old direction, weighted": _variant(turn=lambda r, before, p, w: r - w * p),
        "step without N: divide by <p, N p>": _variant(curvature=lambda p, q: _inner(p, p)),
        "the last image only, again and again: x += changes what is in the list already, write x = x + ...": (
            lambda N, b, x, iterations: _library(N, b, x, iterations)[-1:] * iterations
        ),
        "the start is in the list: one image after each iteration": lambda N, b, x, iterations: (
            [x, *_library(N, b, x, iterations)][:iterations]
        ),
    },
)  # fmt: skip
