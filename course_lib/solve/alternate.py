"""A prior that is a map, and data consistency, in turns: what unrolled networks with one shared prior run through."""

from collections.abc import Callable

from torch import Tensor

from ..ops.linear import LinearOperator
from ..shapes import Image, KSpace
from .shifted import shifted_inverse


def alternate(
    D: Callable[[Image], Image], A: LinearOperator, y: KSpace, lam: Tensor, iterations: int, cg_iterations: int = 10
) -> Image:
    """From x = A^H y, `iterations` times: z <- D(x), then the x that minimises ||A x - y||^2 + lam ||x - z||^2.

    The loop of MoDL (Aggarwal, Mani & Jacob 2019), with the same D each time. Gradients reach lam and what D holds.
    """
    x = AHy = A.H(y)
    solve = shifted_inverse(A, lam, cg_iterations)
    for _ in range(iterations):
        z = D(x)
        x = solve(AHy + lam * z, z)
    return x
