"""Least squares inside a network whose operator is learned, too."""

import torch
from torch import Tensor

from ..ops.linear import LinearOperator
from .linear import cg
from .shifted import shifted_inverse


def least_squares(K: LinearOperator, b: Tensor, x: Tensor, iterations: int = 10) -> Tensor:
    """The x that solves K^H K x = b, by conjugate gradients from `x`.

    Half of the iterations find it, half correct it. The gradient is that of the solution, without a history: it reaches
    b and what K.N holds, such as filters, but not the start.
    """
    with torch.no_grad():
        x = cg(K.N, b, x, iterations - iterations // 2)
    return x + shifted_inverse(K, x.real.new_zeros(()), iterations // 2)(b - K.N(x), None)
