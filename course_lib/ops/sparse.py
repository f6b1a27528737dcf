"""Transforms in which images are sparse: finite differences (for total variation) and orthonormal wavelets."""

from dataclasses import dataclass
from functools import lru_cache
from math import comb

import numpy as np
import torch
from torch import Tensor

from .linear import LinearOperator

SHORTEST = 16  # pixels: a shorter axis is not halved
BLOCKS = range(32, 7, -1)  # coefficients that one small matrix makes, the best first


@dataclass(frozen=True, eq=False, repr=False)
class FiniteDifference(LinearOperator):
    """Image (batch, *extra, height, width) -> differences to the next row and column (batch, 2, *extra, height, width).

    The last row and column have no next: their difference is 0. The squared norm of the operator is below 8.
    """

    def forward(self, x: Tensor) -> Tensor:
        y = x.new_zeros(len(x), 2, *x.shape[1:])
        y[:, 0, ..., :-1, :] = x[..., 1:, :] - x[..., :-1, :]
        y[:, 1, ..., :-1] = x[..., 1:] - x[..., :-1]
        return y

    def adjoint(self, y: Tensor) -> Tensor:
        down, right = y[:, 0, ..., :-1, :], y[:, 1, ..., :-1]
        x = torch.zeros_like(y[:, 0])
        x[..., 1:, :] += down
        x[..., :-1, :] -= down
        x[..., 1:] += right
        x[..., :-1] -= right
        return x


@dataclass(frozen=True, eq=False, repr=False)
class TimeDifference(LinearOperator):
    """Film (batch, *extra, time, height, width) -> differences to the next frame (batch, 1, *extra, time, ...).

    The last frame goes on with the first: a heartbeat is a circle. The squared norm of the operator is at most 4.
    space: so many times the `FiniteDifference` come with it, (batch, 3, ...); then 4 + 8 space^2 at most.
    """

    space: float = 0.0

    def forward(self, x: Tensor) -> Tensor:
        y = (x.roll(-1, -3) - x).unsqueeze(1)
        return torch.cat([y, self.space * FiniteDifference()(x)], 1) if self.space else y

    def adjoint(self, y: Tensor) -> Tensor:
        x = y[:, 0].roll(1, -3) - y[:, 0]
        return x + self.space * FiniteDifference().adjoint(y[:, 1:]) if self.space else x


@dataclass(frozen=True, eq=False, repr=False)
class Wavelet(LinearOperator):
    """Orthonormal periodic db4 wavelets over the last two axes, any size; the adjoint is the inverse.

    Coefficients have the shape of the image: each level puts its coarse quarter at the top left (Mallat, IEEE Trans.
    Pattern Anal. 1989). The last pixel of an odd axis joins the coarse quarter; axes below 16 pixels are not halved.
    """

    levels: int = 4

    def forward(self, x: Tensor) -> Tensor:
        y = x.clone(memory_format=torch.contiguous_format)
        for height, width in self._sizes(x.shape)[:-1]:
            x = _analyse(_analyse(x[..., :height, :width]).mT).mT
            y[..., :height, :width] = x
            x = x[..., : _half(height), : _half(width)]
        return y

    def adjoint(self, y: Tensor) -> Tensor:
        x = y.clone(memory_format=torch.contiguous_format)
        for height, width in reversed(self._sizes(y.shape)[:-1]):
            x[..., :height, :width] = _synthesise(_synthesise(x[..., :height, :width].clone().mT).mT)
        return x

    def normal(self, x: Tensor) -> Tensor:
        return x

    def coarse(self, shape: torch.Size) -> tuple[int, int]:
        """Height and width of the coarsest block, at the top left, of coefficients of this shape."""
        return self._sizes(shape)[-1]

    def _sizes(self, shape: torch.Size) -> list[tuple[int, int]]:
        """(height, width) of the block that each level transforms; last, of the coarsest block."""
        sizes = [(shape[-2], shape[-1])]
        for _ in range(self.levels):
            sizes.append((_half(sizes[-1][0]), _half(sizes[-1][1])))
        return sizes


def _half(n: int) -> int:
    return n - n // 2 if n >= SHORTEST else n


def _analyse(x: Tensor) -> Tensor:
    """One level along the second last axis: low-pass coefficients, then high-pass. Each block sees a window of rows."""
    n = x.shape[-2] // 2 * 2
    if n < SHORTEST:
        return x
    block, (low, high), _ = _matrices(n, x.dtype, x.device)
    windows = torch.cat([x[..., :n, :], x[..., :6, :]], -2).unfold(-2, 2 * block + 6, 2 * block).mT
    return torch.cat([(low @ windows).flatten(-3, -2), x[..., n:, :], (high @ windows).flatten(-3, -2)], -2)


def _synthesise(y: Tensor) -> Tensor:
    """The inverse of `_analyse`: a block of rows from a window of low-pass and one of high-pass coefficients."""
    n = y.shape[-2] // 2 * 2
    if n < SHORTEST:
        return y
    block, _, (low, high) = _matrices(n, y.dtype, y.device)
    rows = [y[..., : n // 2, :], y[..., y.shape[-2] - n // 2 :, :]]
    first, second = (torch.cat([r[..., -3:, :], r], -2).unfold(-2, block + 3, block).mT for r in rows)
    return torch.cat([(low @ first + high @ second).flatten(-3, -2), y[..., n // 2 : y.shape[-2] - n // 2, :]], -2)


@lru_cache(maxsize=64)
def _matrices(n: int, dtype: torch.dtype, device: torch.device) -> tuple[int, list[Tensor], list[Tensor]]:
    """Block length, then (low, high) matrices of analysis (block, 2 block + 6) and synthesis (2 block, block + 3)."""
    block = next((b for b in BLOCKS if n // 2 % b == 0), n // 2)
    analysis, synthesis = np.zeros((2, block, 2 * block + 6)), np.zeros((2, 2 * block, block + 3))
    low = daubechies(4)
    for band, taps in enumerate((low, low[::-1] * (-1) ** np.arange(8))):
        for i in range(block):
            analysis[band, i, 2 * i : 2 * i + 8] = taps
        for p in range(2 * block):
            q = p // 2 + np.arange(4)
            synthesis[band, p, q] = taps[p - 2 * q + 6]
    with torch.inference_mode(False):
        analysis, synthesis = ([torch.from_numpy(m).to(device, dtype) for m in pair] for pair in (analysis, synthesis))
    return block, analysis, synthesis


@lru_cache
def daubechies(moments: int) -> np.ndarray:
    """The 2 * moments low-pass taps with this many vanishing moments, by spectral factorisation.

    Daubechies, Comm. Pure Appl. Math. 1988: ((1 + z) / 2)^moments times the roots inside the unit circle of
    sum_k comb(moments - 1 + k, k) (1/2 - (z + 1/z) / 4)^k.
    """
    y = np.roots([comb(moments - 1 + k, k) for k in reversed(range(moments))])
    roots = [z for v in y for z in np.roots([1, 4 * v - 2, 1]) if abs(z) < 1]
    taps = np.poly([-1] * moments + roots).real
    return np.sqrt(2) * taps / taps.sum()
