"""Inner products, conjugate gradients, the power method and the step it allows: every sample of a batch on its own."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..ops.linear import LinearOperator
from ..ops.sense import Sense

Map = Callable[[Tensor], Tensor]  # tensor in, tensor of the same shape out
Watch = Callable[[Tensor, int], object]  # called with the iterate and the number of the iteration, from 0


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Real part of <a, b> = sum conj(a) b of each sample, shape (batch, 1, ..., 1): it multiplies `a` as it is."""
    inner = torch.linalg.vecdot(a.flatten(1), b.flatten(1)).real
    return inner.reshape(-1, *[1] * (a.ndim - 1))


def cg(A: Map, b: Tensor, x: Tensor | None = None, iterations: int = 10, watch: Watch | None = None) -> Tensor:
    """Solve A x = b for a Hermitian positive A by conjugate gradients (Hestenes & Stiefel 1952), from `x` or 0.

    b, x: (batch, ...). A sample that is solved, to within rounding, keeps its value: where A is singular, rounding
    alone would carry it away. Gradients flow through the loop.
    """
    r = b if x is None else b - A(x)
    x = torch.zeros_like(b) if x is None else x
    solved = (10 * torch.finfo(b.dtype).eps) ** 2 * dot(b, b)
    p, rr = r, _above(solved, dot(r, r))
    for i in range(iterations):
        q = A(p)
        step = _ratio(rr, dot(p, q))
        x = x + step * p
        r = r - step * q
        rr, rr_before = _above(solved, dot(r, r)), rr
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


def safe_step(A: LinearOperator, x: Tensor) -> Tensor:
    """1 / ||A||^2 for images like `x`, (batch, 1, ..., 1): the longest step of a gradient descent that cannot diverge.

    Sense with maps of unit length has ||A|| <= 1, so the step is 1 and costs nothing; for others the power method runs,
    and 5 % are left for what it has not reached.
    """
    if isinstance(A, Sense):
        return torch.ones(len(x), *[1] * (x.ndim - 1), dtype=x.real.dtype, device=x.device)
    start = torch.randn(x.shape[1:], dtype=x.dtype, generator=torch.Generator().manual_seed(0))
    return 0.95 / power(A.N, start.to(x.device).expand(x.shape), iterations=20)


def _above(least: Tensor, value: Tensor) -> Tensor:
    """`value`, and 0 where it is not above `least`."""
    return torch.where(value > least, value, 0)


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    """a / b, and 0 with zero gradient where b is not positive: the sample is solved."""
    positive = b > 0
    return torch.where(positive, a / torch.where(positive, b, 1.0), 0.0)
