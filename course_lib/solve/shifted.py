"""(N + lam)^-1 b inside a network: its gradient needs no history of the iterations that found it."""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .linear import Map, cg, dot


def cg_shifted(N: Map, b: Tensor, lam: Tensor, x: Tensor | None = None, iterations: int = 10) -> Tensor:
    """Solve (N + lam) x = b by conjugate gradients from `x` or 0; N Hermitian, not negative, lam > 0.

    b, x: (batch, ...); lam: one number, or (batch, 1, ..., 1). The gradient is that of the solution: it solves the same
    system once more, (N + lam) grad_b = grad, with as many iterations (Aggarwal, Mani & Jacob 2019, section III-C).
    It reaches b and lam, not the start `x` and not what N holds (coil maps); for that, differentiate `cg` itself.
    """
    return _Shifted.apply(b, lam, x, N, iterations)


class _Shifted(torch.autograd.Function):
    @staticmethod
    def forward(ctx, b, lam, x, N, iterations):
        ctx.solve = lambda right, start=None: cg(lambda v: N(v) + lam * v, right, start, iterations)
        x = ctx.solve(b, x)
        ctx.save_for_backward(x, lam)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        x, lam = ctx.saved_tensors
        grad_b = ctx.solve(grad)
        return grad_b, (-dot(grad_b, x)).sum_to_size(lam.shape), None, None, None
