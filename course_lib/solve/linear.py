"""Inner products, conjugate gradients and the power method: every sample of a batch on its own."""

from collections.abc import Callable

import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]  # tensor in, tensor of the same shape out
Watch = Callable[[Tensor, int], object]  # called with the iterate and the number of the iteration, from 0


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Real part of <a, b> = sum conj(a) b of each sample, shape (batch, 1, ..., 1): it multiplies `a` as it is."""
    inner = torch.linalg.vecdot(a.flatten(1), b.flatten(1)).real
    return inner.reshape(-1, *[1] * (a.ndim - 1))


def cg(A: Map, b: Tensor, x: Tensor | None = None, iterations: int = 10, watch: Watch | None = None) -> Tensor:
    """Solve A x = b for a Hermitian positive A by conjugate gradients (Hestenes & Stiefel 1952), from `x` or 0.

    b, x: (batch, ...). A sample that is solved (zero residual) keeps its value. Gradients flow through the loop.
    """
    r = b if x is None else b - A(x)
    x = torch.zeros_like(b) if x is None else x
    p, rr = r, dot(r, r)
    for i in range(iterations):
        q = A(p)
        step = _ratio(rr, dot(p, q))
        x = x + step * p
        r = r - step * q
        rr, rr_before = dot(r, r), rr
        p = r + _ratio(rr, rr_before) * p
        if watch:
            watch(x, i)
    return x


def power(A: Map, x: Tensor, iterations: int = 30) -> Tensor:
    """Largest eigenvalue of a Hermitian positive A per sample, shape (batch, 1, ..., 1), by the power method.

    x: where to start, (batch, ...), not 0; a random one is best. The answer approaches from below.
    """
    for _ in range(iterations):
        x = A(x)
        x = x / dot(x, x).sqrt()
    return dot(x, A(x)) / dot(x, x)


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    """a / b, and 0 with zero gradient where b is not positive: the sample is solved."""
    positive = b > 0
    return torch.where(positive, a / torch.where(positive, b, 1.0), 0.0)
