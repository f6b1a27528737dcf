"""Chapter 02: the method of multipliers (ADMM), for a cost that is split in two."""

from collections.abc import Callable

import torch
from torch import Tensor

from ...solve import admm, soft
from ...solve.linear import Map
from ...solve.proximal import Prox
from ..exercise import Exercise
from .cases import images

Steps = list[Tensor]


def _denoised(n: int, lam: float, rho: float) -> tuple[Map, Prox]:
    """The two solvers of 1/2 ||E x - y||^2 + lam ||x||_1."""
    E, y = (v[0].to(torch.complex128) for v in images((n + 2, n), (n + 2, 1)))
    inverse = torch.linalg.inv(E.mH @ E + rho * torch.eye(n))
    return lambda v: (inverse @ ((E.mH @ y)[:, 0] + rho * v.flatten())).reshape(v.shape), lambda v, step: soft(
        v, lam * step
    )


def _splittings() -> list[tuple[Map, Prox, Tensor, float, int]]:
    """(solve, prox, x, rho, iterations)"""
    x, z = (v[0].to(torch.complex128) for v in images((5,), (1, 2, 3)))
    return [(*_denoised(5, 0.8, 2.0), x, 2.0, 4), (*_denoised(6, 0.2, 0.5), 0 * z, 0.5, 5)]


def _multipliers(solve: Map, prox: Prox, x: Tensor, rho: float, iterations: int) -> Steps:
    steps: Steps = []
    admm(lambda v: v, lambda v, _: solve(v), prox, x, rho, iterations, watch=lambda v, _: steps.append(v))
    return steps


def _split(
    data: Callable = lambda z, u: z - u,
    clean: Callable = lambda x, u: x + u,
    step: Callable = lambda rho: 1 / rho,
    multiply: Callable = lambda u, x, z, before: u + x - z,
    shown: Callable = lambda x, z, u: x,
    first: bool = False,
) -> Callable[[Map, Prox, Tensor, float, int], Steps]:
    """ADMM with one of its lines replaced; `first`: the prox comes before the data."""

    def run(solve: Map, prox: Prox, x: Tensor, rho: float, iterations: int) -> Steps:
        z, u, steps = x, torch.zeros_like(x), []
        for _ in range(iterations):
            before = z
            if first:
                z = prox(clean(x, u), step(rho))
                x = solve(data(z, u))
            else:
                x = solve(data(z, u))
                z = prox(clean(x, u), step(rho))
            u = multiply(u, x, z, before)
            steps.append(shown(x, z, u))
        return steps

    return run


ch02_admm = Exercise(
    reference=_multipliers,
    cases=_splittings,
    mistakes={
        "no multiplier: this is HQS; u adds up what x and z differ by": _split(multiply=lambda u, x, z, before: u),
        "multiplier not added up: u + x - z, not x - z": _split(multiply=lambda u, x, z, before: x - z),
        "multiplier with the wrong sign: u grows by x - z": _split(multiply=lambda u, x, z, before: u - x + z),
        "multiplier from the old z: update it last, with the new z": _split(multiply=lambda u, x, z, old: u + x - old),
        "u with the wrong sign in the data step: solve for z - u": _split(data=lambda z, u: z + u),
        "u with the wrong sign in the prox: clean x + u": _split(clean=lambda x, u: x - u),
        "u missing in the data step: solve for z - u": _split(data=lambda z, u: z),
        "u missing in the prox: clean x + u": _split(clean=lambda x, u: x),
        "rho upside down: the step of the prox is 1 / rho": _split(step=lambda rho: rho),
        "step missing in the prox: it is 1 / rho": _split(step=lambda rho: 1.0),
        "z in the list: keep x, which has seen the data last": _split(shown=lambda x, z, u: z),
        "prox first: begin with the data step": _split(first=True),
    },
)  # fmt: skip
