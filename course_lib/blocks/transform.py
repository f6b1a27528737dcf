"""A learned two-dimensional transform made of two one-dimensional ones: every row, then every column.

The discrete Fourier transform is one of them: its matrix is the Kronecker product of two small matrices.
"""

import torch
from torch import Tensor, nn

from ..ops import ifft2c
from ..shapes import Image
from .complex import as_complex, as_real, real_matrix


class Transform(nn.Module):
    """Complex (batch, height, width) -> the same: x -> C(R(x)), 4 (height^2 + width^2) real parameters.

    R maps the 2 width real numbers of each row to as many, the same for all rows; C does so with columns. They start
    as random rotations: energy is kept, as by the Fourier transform.
    """

    def __init__(self, height: int, width: int):
        super().__init__()
        self.rows = nn.Linear(2 * width, 2 * width, bias=False)
        self.columns = nn.Linear(2 * height, 2 * height, bias=False)
        for matrix in (self.rows, self.columns):
            nn.init.orthogonal_(matrix.weight)

    def forward(self, x: Image) -> Image:
        return _along(self.columns, _along(self.rows, x).mT).mT

    @torch.no_grad()
    def become(self, rows: Tensor, columns: Tensor) -> "Transform":
        """Take on complex matrices, rows (width, width) and columns (height, height): x -> columns x rows^T."""
        self.rows.weight.copy_(real_matrix(rows))
        self.columns.weight.copy_(real_matrix(columns))
        return self


def inverse_fourier(n: int) -> Tensor:
    """The centred orthonormal inverse Fourier transform of n numbers as a complex matrix (n, n)."""
    return ifft2c(torch.eye(n, dtype=torch.complex64)[..., None]).squeeze(-1).mT


def _along(matrix: nn.Linear, x: Image) -> Image:
    """A real matrix applied to each row, the real parts before the imaginary ones."""
    numbers = as_real(x).movedim(1, 2).flatten(2)
    return as_complex(matrix(numbers).unflatten(2, (2, -1)).movedim(2, 1))
