"""The images whose data lie within a distance of the measured ones, and the way there.

min_x ||x - r||^2   subject to   ||A x - y|| <= radius

x = r + (A^H A + s)^-1 A^H (y - A r)      s > 0 is the one number at which the misfit is the radius

Conjugate gradients walk through a space that does not depend on s. There A^H A is a small matrix T (Lanczos), the
misfit a formula, and finding s costs nothing: no system is solved more than once.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ..ops.linear import LinearOperator
from ..shapes import Image, KSpace
from .linear import Map, cg, dot
from .shifted import implicit

BISECTIONS = 40
RANGE = 1e-6, 1e6  # of s; ||A|| is about 1


def into_ball(r: Image, A: LinearOperator, y: KSpace, radius: Float[Tensor, " batch"], iterations: int = 15) -> Image:
    """The image nearest to r with ||A x - y|| <= radius, sample by sample; r itself where that holds already.

    Exact once `iterations` of conjugate gradients are enough; before that, the nearest in their space, and still on the
    sphere if that is within reach. Gradients flow through r and y, not through s.
    """
    e = y - A(r)
    g = A.H(e)
    energy = dot(e, e).flatten()
    s = shift(A.N, g.detach(), energy.detach(), radius, iterations).reshape(-1, *[1] * (r.ndim - 1))
    d = implicit(lambda b, start: cg(lambda v: A.N(v) + s * v, b, start, iterations), s)(g, None)
    return r + torch.where((energy > radius**2).reshape(s.shape), d, 0)


@torch.no_grad()
def shift(N: Map, g: Image, energy: Tensor, radius: Tensor, iterations: int) -> Float[Tensor, " batch"]:
    """The s at which the misfit, `energy` = ||y - A r||^2 at d = 0, has fallen to the radius with d = (N + s)^-1 g."""
    values, weights = ritz(N, g, iterations)
    low, high = (torch.full_like(energy, end, dtype=torch.float64)[:, None] for end in RANGE)
    for _ in range(BISECTIONS):
        s = (low * high).sqrt()
        left = energy[:, None] - (weights * (values + 2 * s) / (values + s) ** 2).sum(1, keepdim=True)
        far = left > radius[:, None] ** 2
        low, high = torch.where(far, low, s), torch.where(far, s, high)
    return low[:, 0].to(energy)


def ritz(N: Map, g: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Lanczos: eigenvalues of N seen from g, (batch, iterations), and the energy of g that belongs to each."""
    size = dot(g, g).sqrt()
    v, before, beta = _over(g, size), torch.zeros_like(g), torch.zeros_like(size)
    T = torch.zeros(len(g), iterations, iterations, dtype=torch.float64, device=g.device)
    for i in range(iterations):
        u = N(v) - beta * before
        alpha = dot(v, u)
        u = u - alpha * v
        before, beta = v, dot(u, u).sqrt()
        v = _over(u, beta)
        T[:, i, i] = alpha.flatten()
        if i + 1 < iterations:
            T[:, i, i + 1] = T[:, i + 1, i] = beta.flatten()
    values, vectors = torch.linalg.eigh(T)
    return values.clamp_min(0), (size.flatten()[:, None] * vectors[:, 0]).square()


def _over(u: Tensor, size: Tensor) -> Tensor:
    """u / size, and 0 where size is (nearly) 0: everything has been seen."""
    seen = size > 1e-6
    return torch.where(seen, u / torch.where(seen, size, 1.0), 0)
