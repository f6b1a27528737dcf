"""Algorithms for min f(x) + g(x) with a smooth f and a simple g: the loop of each is the algorithm.

prox(v, step) = argmin_x 1/2 ||x - v||^2 + step g(x); for g = lam ||x||_1 it is `lambda v, step: soft(v, lam * step)`.
`step`, `rho`, `tau`, `sigma` are numbers or tensors (batch, 1, ..., 1), as `power` returns them.
"""

from collections.abc import Callable
from math import sqrt

import torch
from torch import Tensor

from .linear import Map, Watch

Number = float | Tensor
Prox = Callable[[Tensor, Number], Tensor]


def soft(x: Tensor, t: Number) -> Tensor:
    """Shrink the magnitude of real or complex `x` by t >= 0, down to 0; the phase stays. The gradient at 0 is 0."""
    size = x.abs()
    return x * ((size - t).clamp_min(0) / size.clamp_min(torch.finfo(size.dtype).tiny))


def ista(grad: Map, prox: Prox, x: Tensor, step: Number, iterations: int, watch: Watch | None = None) -> Tensor:
    """Proximal gradient descent (Daubechies, Defrise & De Mol 2004); step <= 1 / largest eigenvalue of f''."""
    for i in range(iterations):
        x = prox(x - step * grad(x), step)
        if watch:
            watch(x, i)
    return x


def fista(grad: Map, prox: Prox, x: Tensor, step: Number, iterations: int, watch: Watch | None = None) -> Tensor:
    """Accelerated proximal gradient descent (Beck & Teboulle 2009, Eqs. 4.1-4.3); same arguments as `ista`."""
    z, t = x, 1.0
    for i in range(iterations):
        before, x = x, prox(z - step * grad(z), step)
        t_before, t = t, (1 + sqrt(1 + 4 * t * t)) / 2
        z = x + (t_before - 1) / t * (x - before)
        if watch:
            watch(x, i)
    return x


def admm(
    K: Map,
    solve: Callable[[Tensor, Tensor], Tensor],
    prox: Prox,
    x: Tensor,
    rho: Number,
    iterations: int,
    watch: Watch | None = None,
) -> Tensor:
    """Minimise f(x) + g(z) with z = K x by alternating directions (Boyd et al. 2011, Eqs. 3.5-3.7).

    solve(v, x) = argmin_x f(x) + rho/2 ||K x - v||^2, started at x; prox is that of g.
    """
    z = K(x)
    u = torch.zeros_like(z)
    for i in range(iterations):
        x = solve(z - u, x)
        Kx = K(x)
        z = prox(Kx + u, 1 / rho)
        u = u + Kx - z
        if watch:
            watch(x, i)
    return x


def pdhg(
    K: Callable[[Tensor], Tensor],
    prox_f: Prox,
    prox_g: Prox,
    x: Tensor,
    tau: Number,
    sigma: Number,
    iterations: int,
    watch: Watch | None = None,
) -> Tensor:
    """Minimise f(K x) + g(x) by the primal-dual hybrid gradient method (Chambolle & Pock 2011, algorithm 1).

    K is a `LinearOperator` (its adjoint K.H is used); tau * sigma * ||K||^2 <= 1. The dual step uses Moreau's
    identity, so both prox are those of f and g themselves, not of their conjugates.
    """
    z, u = x, torch.zeros_like(K(x))
    for i in range(iterations):
        v = u + sigma * K(z)
        u = v - sigma * prox_f(v / sigma, 1 / sigma)
        before, x = x, prox_g(x - tau * K.H(u), tau)
        z = 2 * x - before
        if watch:
            watch(x, i)
    return x
