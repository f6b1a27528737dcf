"""LORAKS: neighbourhoods of k-space make a matrix of low rank (Haldar, IEEE Trans. Med. Imaging 2014).

min_k ||M k - y||^2 + lam J(k)            J(k) = sum of sigma_i^2 over i > rank: what a matrix of that rank cannot hold

A filter f with taps f(p) on the disc |p| <= radius makes u(n) = sum_p f(p) k(n - p) out of k-space. In the image this
is a product, u(r) = f(r) x(r). A filter that the matrix sends to 0 says something about the image:

    C f = u                               0 if f(r) x(r) = 0: f vanishes where there is tissue, limited support
    S f = (u(n) - conj u(-n)) / 2         0 if f(r) x(r) is real: f undoes the phase of x, smooth phase

C is complex. S is real, the real and imaginary parts of f are its unknowns; it also knows most of what C knows. Filters
have taps in all coils (P-LORAKS: Haldar & Zhuo, Magn. Reson. Med. 2016). k-space counts as periodic, so that Gram
matrices are sums over pixels and filters small matrices at each pixel: tall matrices are never formed.
"""

import torch
from torch import Tensor

from ..errors import CourseError
from ..ops.sense import fft2c, ifft2c
from ..shapes import KSpace
from .linear import Map, Watch, cg


class Neighbourhoods:
    """The matrix C, or with `phase` S, of k-space (batch, coil, height, width): its Gram matrix and what filters do.

    Unknowns are ordered coil by coil, each tap by tap; for S first all real, then all imaginary parts.
    """

    def __init__(self, k: KSpace, radius: int, phase: bool):
        self.k, self.phase = k, phase
        step = torch.arange(-radius, radius + 1, device=k.device)
        taps = torch.cartesian_prod(step, step)
        self.taps = taps[taps.square().sum(1) <= radius**2]
        if 2 * radius + 1 > min(k.shape[-2:]):
            found = f"{2 * radius + 1} samples across"
            raise CourseError("neighbourhood larger than k-space", f"at most {tuple(k.shape[-2:])}", found)
        self.lags = 2 * radius  # far: q - p of each pair of taps, near: p + q, as an index into all (2 lags + 1)^2 lags
        self.far, self.near = (self._index(sign * self.taps[:, None] + self.taps) for sign in (-1, 1))
        self.rows, self.columns = (_waves(k, n, self.lags) for n in k.shape[-2:])

    @property
    def unknowns(self) -> int:
        """Columns of the matrix."""
        return (2 if self.phase else 1) * self.k.shape[1] * len(self.taps)

    def _index(self, lag: Tensor) -> Tensor:
        return (lag[..., 0] + self.lags) * (2 * self.lags + 1) + lag[..., 1] + self.lags

    def gram(self) -> Tensor:
        """C^H C or S^T S, (batch, unknowns, unknowns)."""
        x = ifft2c(self.k)
        E = self._pairs(x.conj(), x, self.far)  # <u, u> of two single taps
        if not self.phase:
            return E
        D = self._pairs(x, x, self.near).conj()  # <u, its partner conj u(-n)>
        n, less, more = E.shape[-1], (E - D) / 2, (E + D) / 2
        gram = E.real.new_empty(len(E), 2 * n, 2 * n)
        gram[:, :n, :n], gram[:, :n, n:] = less.real, -more.imag
        gram[:, n:, :n], gram[:, n:, n:] = less.imag, more.real
        return gram

    def _pairs(self, a: Tensor, b: Tensor, index: Tensor) -> Tensor:
        """sum over pixels of a_c b_d exp(2 pi i lag r) for coils c, d and the lags at `index`, as one matrix."""
        sums = self.rows @ (a[:, :, None] * b[:, None]) @ self.columns.mT
        return sums.flatten(-2)[..., index].movedim(3, 2).flatten(3).flatten(1, 2)

    def penalty(self, filters: Tensor) -> tuple[Map, float]:
        """k -> half the gradient of ||matrix(k) filters||^2, and its mean weight of a sample.

        filters: a projection (batch, unknowns, unknowns) on the filters, real for S.
        """
        weight = filters.diagonal(dim1=-2, dim2=-1).real.sum(-1).mean().item() / self.k.shape[1]
        if not self.phase:
            same = self._matrices(filters.conj(), self.far)
            return lambda k: fft2c(_mix(same, ifft2c(k))), weight
        n = self.unknowns // 2
        a, b, c = filters[:, :n, :n], filters[:, :n, n:], filters[:, n:, n:]
        same = self._matrices(torch.complex(a + c, b - b.mT), self.far) / 2
        partner = self._matrices(torch.complex(a - c, b + b.mT), self.near).conj() / 2

        def apply(k: Tensor) -> Tensor:
            x = ifft2c(k)
            return fft2c(_mix(same, x) - _mix(partner, x.conj()))

        return apply, weight / 2

    def _matrices(self, pairs: Tensor, index: Tensor) -> Tensor:
        """sum over pairs of taps of pairs[c p, d q] exp(2 pi i lag r): (batch, coil, coil, height, width)."""
        coils, taps = self.k.shape[1], len(self.taps)
        entries = pairs.unflatten(2, (coils, taps)).unflatten(1, (coils, taps)).movedim(3, 2).flatten(3)
        size = 2 * self.lags + 1
        sums = entries.new_zeros(*entries.shape[:3], size * size).index_add(3, index.flatten(), entries)
        return self.rows.mT @ sums.unflatten(3, (size, size)) @ self.columns


def loraks(
    y: KSpace,
    mask: Tensor,
    rank: int,
    lam: float,
    radius: int = 3,
    phase: bool = True,
    iterations: int = 20,
    inner: int = 10,
    watch: Watch | None = None,
) -> KSpace:
    """The completed k-space (batch, coil, height, width) of the samples `y`, mask (batch or 1, 1, height or 1, width).

    Data consistency is soft: acquired samples are kept up to lam. phase=True uses S, else C. Each of the `iterations`
    finds the filters that a matrix of this rank sends to 0, then a k closer to that by `inner` CG steps; neither step
    raises the objective. Raises `CourseError` for a rank or lam that is not positive, or a disc larger than k-space.
    """
    if rank < 1 or lam <= 0:
        raise CourseError("loraks", "rank >= 1 and lam > 0", f"{rank=}, {lam=}")
    k = y = mask * y
    for i in range(iterations):
        matrix = Neighbourhoods(k, radius, phase)
        if rank >= matrix.unknowns:
            return y
        vectors = torch.linalg.eigh(matrix.gram())[1][..., : matrix.unknowns - rank]
        penalty, weight = matrix.penalty(vectors @ vectors.mH)
        scale = (mask.square() + lam * weight).rsqrt()  # CG in k / scale: missing samples count as much as acquired
        normal = lambda q, s=scale, p=penalty: s * (mask.square() * (s * q) + lam * p(s * q))
        k = scale * cg(normal, scale * mask * y, x=k / scale, iterations=inner)
        if watch:
            watch(k, i)
    return k


def _waves(k: Tensor, n: int, lags: int) -> Tensor:
    """exp(2 pi i lag r / n) for each lag and each pixel r, 0 at pixel n // 2: (2 lags + 1, n)."""
    lag = torch.arange(-lags, lags + 1, dtype=torch.float64)
    place = (torch.arange(n, dtype=torch.float64) - n // 2) / n
    return torch.exp(2j * torch.pi * lag[:, None] * place).to(k)


def _mix(matrices: Tensor, x: Tensor) -> Tensor:
    return (matrices * x[:, None]).sum(2)
