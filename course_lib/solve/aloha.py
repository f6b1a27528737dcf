"""ALOHA: k-space, weighted like a derivative, makes a Hankel matrix of low rank (Jin, Lee & Ye 2016).

min_k ||X||_*  with  X = H(w k) and M k = y       H: each window of k-space is a row, the coils stand side by side

The differences of an image of few edges are mostly 0. Their k-space, w times k, is turned to 0 by short filters, so the
matrix of its windows has low rank. ||X||_* is the least 1/2 (||U||^2 + ||V||^2) over X = U V^H, and alternating
directions on its augmented Lagrangian need no singular values (IEEE Trans. Comput. Imaging 2016, algorithm 1):

    k <- y where acquired, else what fits U V^H - L best
    U <- mu (X + L) V (1 + mu V^H V)^-1
    V <- mu (X + L)^H U (1 + mu U^H U)^-1
    L <- X + L - U V^H
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import CourseError
from ..ops.hankel import Hankel
from ..ops.linear import LinearOperator
from ..shapes import KSpace
from .linear import Watch


@dataclass(frozen=True, eq=False, repr=False)
class WeightedHankel(LinearOperator):
    """k-space (batch, coil, *size) -> the windows of each of the weighted k-spaces, one below the other.

    weights (weight, height, width). The adjoint of its own is `Hankel.adjoint` of each part, weighted and added up.
    """

    hankel: Hankel
    weights: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.hankel(w * x) for w in self.weights], 1)

    def adjoint(self, y: Tensor) -> Tensor:
        parts = y.chunk(len(self.weights), 1)
        x = self.weights[0].conj() * self.hankel.adjoint(parts[0])
        for w, part in zip(self.weights[1:], parts[1:]):
            x = x + w.conj() * self.hankel.adjoint(part)
        return x

    def normal(self, x: Tensor) -> Tensor:
        return x * self.energy(x)

    def energy(self, x: Tensor) -> Tensor:
        """How much each sample counts, (height, width): A.N multiplies by it."""
        return self.weights.abs().square().sum(0) * self.hankel.windows_at(x)


def derivatives(k: KSpace) -> Tensor:
    """The weights that take differences to the next row and to the next column (2, height, width): Haar's high-pass."""
    places = [(torch.arange(n, dtype=torch.float64) - n // 2) / n for n in k.shape[-2:]]
    rows, columns = (torch.exp(2j * torch.pi * place) - 1 for place in places)
    both = torch.zeros(2, len(rows), len(columns), dtype=rows.dtype)
    return (both + torch.stack([rows[:, None] + 0 * columns, columns + 0 * rows[:, None]])).to(k)


def aloha(
    y: KSpace,
    mask: Tensor,
    rank: int,
    mu: float,
    kernel: int = 7,
    iterations: int = 25,
    watch: Watch | None = None,
) -> KSpace:
    """The completed k-space (batch, coil, height, width) of the samples `y`, mask (batch or 1, 1, height or 1, width).

    Acquired samples are kept as they are. U and V have `rank` columns and start at the best fit to the zero-filled
    matrix; mu counts in units of one over its largest singular value, so a large mu shrinks little. A mask of lines
    (height 1) needs differences along the width only. Samples of weight 0, the centre of k-space, must be acquired or
    stay 0. Raises `CourseError` for a rank that the matrix cannot have.
    """
    weights = derivatives(y) if mask.shape[-2] > 1 else derivatives(y)[1:]
    A = WeightedHankel(Hankel((y.shape[-2], y.shape[-1]), (kernel, kernel)), weights)
    columns = y.shape[1] * kernel**2
    if not 1 <= rank <= columns or mu <= 0:
        raise CourseError("aloha", f"1 <= rank <= {columns} and mu > 0", f"{rank=}, {mu=}")
    y = mask * y
    U, V, largest = factors(A(y), rank)
    X, energy = U @ V.mH, A.energy(y).clamp_min(1e-9)
    m, one = mu / largest, torch.eye(rank, dtype=y.dtype, device=y.device)
    for i in range(iterations):
        T = torch.baddbmm(X, U, V.mH, beta=-1, alpha=2)  # X holds X + L, so this is U V^H - L; L starts at 0
        k = y + (1 - mask) * A.H(T) / energy
        X = X.sub_(T).mul_(0.5).add_(A(k))
        U = torch.linalg.solve(one + m * (V.mH @ V), m * (X @ V), left=False)
        V = torch.linalg.solve(one + m * (U.mH @ U), m * (X.mH @ U), left=False)
        if watch:
            watch(k, i)
    return k


def factors(X: Tensor, rank: int) -> tuple[Tensor, Tensor, Tensor]:
    """U, V with U V^H the best fit of this rank to X (batch, rows, columns), equally long; and the largest singular
    value (batch, 1, 1). They come from the Gram matrix."""
    values, vectors = torch.linalg.eigh(X.mH @ X)
    tiny = torch.finfo(values.dtype).tiny
    sigma = values.clamp_min(tiny).sqrt()[:, None, -rank:]
    V = vectors[..., -rank:]
    return X @ V / sigma.sqrt(), V * sigma.sqrt(), sigma[..., -1:]
