"""Transforms in which images are sparse: finite differences (for total variation) and orthonormal wavelets."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import pad

from .linear import LinearOperator

DB4 = (  # low-pass filter with four vanishing moments (Daubechies, Ten Lectures on Wavelets, 1992, table 6.1)
    0.23037781330885523, 0.7148465705525415, 0.6308807679295904, -0.02798376941698385,
    -0.18703481171888114, 0.030841381835986965, 0.032883011666982945, -0.010597401784997278,
)  # fmt: skip
SMALLEST = 8  # pixels: an axis is halved while it is even and longer than this


@dataclass(frozen=True, eq=False, repr=False)
class FiniteDifference(LinearOperator):
    """Image (batch, *extra, height, width) -> its differences to the next row and column (batch, 2, *extra, ...).

    The last row and column have no next: their difference is 0. The squared norm of the operator is below 8.
    """

    def forward(self, x: Tensor) -> Tensor:
        down = pad(x[..., 1:, :] - x[..., :-1, :], (0, 0, 0, 1))
        right = pad(x[..., :, 1:] - x[..., :, :-1], (0, 1))
        return torch.cat([down.unsqueeze(1), right.unsqueeze(1)], dim=1)

    def adjoint(self, y: Tensor) -> Tensor:
        down, right = y[:, 0, ..., :-1, :], y[:, 1, ..., :, :-1]
        return pad(down, (0, 0, 1, 0)) - pad(down, (0, 0, 0, 1)) + pad(right, (1, 0)) - pad(right, (0, 1))


@dataclass(frozen=True, eq=False, repr=False)
class Wavelet(LinearOperator):
    """Orthonormal periodic db4 wavelets over the last two axes; the adjoint is the inverse.

    The coefficients have the shape of the image: each level puts the coarse quarter at the top left. An axis of odd
    length is not halved further, so any size works.
    """

    levels: int = 4

    def forward(self, x: Tensor) -> Tensor:
        sizes = self._sizes(x.shape)
        y = x.clone()
        for height, width in sizes:
            y[..., :height, :width] = _both(y[..., :height, :width].clone(), _matrix(height, x.dtype, x.device), _matrix(width, x.dtype, x.device))
        return y

    def adjoint(self, y: Tensor) -> Tensor:
        x = y.clone()
        for height, width in reversed(self._sizes(y.shape)):
            x[..., :height, :width] = _both(x[..., :height, :width].clone(), _matrix(height, y.dtype, y.device).mT, _matrix(width, y.dtype, y.device).mT)
        return x

    def normal(self, x: Tensor) -> Tensor:
        return x

    def coarse(self, shape: torch.Size) -> tuple[int, int]:
        """Height and width of the coarsest block, at the top left, of coefficients of this shape."""
        return tuple(_half(n) for n in self._sizes(shape)[-1])

    def _sizes(self, shape: torch.Size) -> list[tuple[int, int]]:
        """(height, width) of the block that each level transforms."""
        sizes = [(shape[-2], shape[-1])]
        while len(sizes) < self.levels:
            sizes.append((_half(sizes[-1][0]), _half(sizes[-1][1])))
        return sizes


def _half(n: int) -> int:
    return n // 2 if n % 2 == 0 and n > SMALLEST else n


def _both(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """rows @ x @ columns^T of a real or complex x with real matrices."""
    if x.is_complex():
        return torch.complex(rows @ x.real @ columns.mT, rows @ x.imag @ columns.mT)
    return rows @ x @ columns.mT


@lru_cache(maxsize=64)
def _matrix(n: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """One level of analysis of n samples as an orthonormal matrix: low-pass rows, then high-pass rows; or identity."""
    with torch.inference_mode(False):
        matrix = torch.eye(n, dtype=torch.float64)
        if _half(n) < n:
            matrix = torch.zeros(n, n, dtype=torch.float64)
            for k, low in enumerate(DB4):
                high = (-1) ** k * DB4[len(DB4) - 1 - k]
                for row in range(n // 2):
                    matrix[row, (2 * row + k) % n] += low
                    matrix[n // 2 + row, (2 * row + k) % n] += high
        return matrix.to(device, dtype.to_real())
