"""(A^H A + s)^-1 inside a network: solved once a sample where that is possible, and a gradient without a history."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..ops.linear import LinearOperator
from ..ops.rows import row_matrices
from ..ops.sense import Sense
from .linear import cg, dot

WIDEST = 256  # pixels of a row; the cost of its inverse grows with the third power, beyond this CG is faster
FEW = 16  # columns of a matrix that is inverted as a whole
SAFE = 0.03  # shift; below, products of halves lose too many digits, and a factorisation is worth its time
LEAST = 1e-3  # shift; rounding is magnified by its inverse, below this CG is more accurate in single precision
Solve = Callable[[Tensor, Tensor | None], Tensor]  # (right-hand side, start) -> solution


def shifted_inverse(A: LinearOperator, s: Tensor, iterations: int = 10) -> Solve:
    """The map (b, start) -> x that solves (A^H A + s) x = b, for s > 0: one number, or (batch, 1, ..., 1).

    For Cartesian sampling of whole lines the rows of the image are independent and x is exact: each row has a small
    inverse, made here once and used at every call. For all other A, wide rows or a tiny s it is conjugate gradients
    from `start`.
    The gradient is that of the solution: it solves the same system once more (Aggarwal, Mani & Jacob 2019, section
    III-C). It reaches b and s, not the start and not what A holds (coil maps); for that, differentiate `cg` itself.
    """
    shift = s.detach()
    if isinstance(A, Sense) and A.mask.shape[-2] == 1 and A.mask.shape[-1] <= WIDEST and shift.min() > LEAST:
        solve: Solve = _times(_inverse(row_matrices(A.mask, A.maps.detach()), shift))
    else:
        solve = lambda b, start: cg(lambda x: A.N(x) + shift * x, b, start, iterations)
    return implicit(solve, s)


def implicit(solve: Solve, s: Tensor) -> Solve:
    """`solve`, which solves (A^H A + s) x = b, with the gradient of the solution instead of its steps'."""
    return lambda b, start=None: _Solution.apply(b, s, start, solve)


def _inverse(matrices: Tensor, shift: Tensor) -> Tensor:
    matrices.diagonal(dim1=-2, dim2=-1).add_(shift)
    if shift.min() > SAFE:
        return _blockwise(matrices)
    return torch.cholesky_inverse(torch.linalg.cholesky(matrices))


def _blockwise(matrices: Tensor) -> Tensor:
    """The inverses of positive definite [[P, Q], [Q^H, R]]: products of halves, twice as fast as a factorisation."""
    if matrices.shape[-1] <= FEW:
        return torch.linalg.inv(matrices)
    half = matrices.shape[-1] // 2
    P, Q, R = matrices[..., :half, :half], matrices[..., :half, half:], matrices[..., half:, half:]
    inverse_of_P = _blockwise(P)
    T = inverse_of_P @ Q
    S = _blockwise(R - Q.mH @ T)
    U = T @ S
    return torch.cat([torch.cat([inverse_of_P + U @ T.mH, -U], -1), torch.cat([-U.mH, S], -1)], -2)


def _times(matrices: Tensor) -> Solve:
    """b -> matrix @ b for each row, in memory that is kept: fresh pages would take longer than the products."""
    products = matrices.new_empty(0)

    def solve(b: Tensor, start: Tensor | None) -> Tensor:
        nonlocal products
        if products.shape[:-1] != b.shape:
            products = matrices.new_empty(*b.shape, b.shape[-1])
        return torch.mul(matrices, b.unsqueeze(-2), out=products).sum(-1)

    return solve


class _Solution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, b, s, start, solve):
        x = solve(b, start)
        ctx.solve = solve
        ctx.save_for_backward(x, s)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        x, s = ctx.saved_tensors
        grad_b = ctx.solve(grad, None)
        return grad_b, (-dot(grad_b, x)).sum_to_size(s.shape), None, None
