"""Gridding as a sparse matrix: every k-space sample is a weighted sum of width x width points of a Cartesian grid.

Kaiser-Bessel weights: Jackson et al., IEEE Trans. Med. Imaging 1991; their shape for a small grid: Beatty et al., 2005.
The matrix is real, so a complex column is two real ones; the columns of one grid point share a cache line.
"""

from dataclasses import dataclass
from functools import cached_property
from math import pi, sqrt

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag


@dataclass(frozen=True, eq=False, repr=False)
class Kernel:
    """Kaiser-Bessel window, `width` grid points wide, for a grid `oversampling` times as fine as needed."""

    oversampling: float | int
    width: int

    @property
    def beta(self) -> float:
        return pi * sqrt((self.width / self.oversampling * (self.oversampling - 0.5)) ** 2 - 0.8)

    @property
    def peak(self) -> float:
        return torch.special.i0(torch.tensor(self.beta, dtype=torch.float64)).item()

    def __call__(self, distance: Tensor) -> Tensor:
        """The weight at a distance in grid points, at most width / 2; 1 in the middle."""
        inside = (1 - (distance * (2 / self.width)) ** 2).clamp(min=0)
        return torch.special.i0(self.beta * inside.sqrt()) / self.peak

    def transform(self, frequency: Tensor) -> Tensor:
        """The Fourier transform of the window at a frequency in cycles per grid point."""
        root = (self.beta**2 - (pi * self.width * frequency) ** 2).sqrt()
        return self.width / self.peak * root.sinh() / root


@dataclass(frozen=True, eq=False, repr=False)
class Matrix:
    """A sparse real matrix by rows: those of row i are index[start[i]:start[i + 1]] and weight[...]."""

    start: Tensor
    index: Tensor
    weight: Tensor
    columns: int

    def __matmul__(self, table: Tensor) -> Tensor:
        """Times a real or complex (columns, n); gives (rows, n)."""
        real = table.contiguous().flatten().view(self.weight.dtype).unflatten(0, (self.columns, -1))
        sums = embedding_bag(
            self.index, real, self.start, mode="sum", per_sample_weights=self.weight, include_last_offset=True
        )
        return sums.view(table.dtype)

    @cached_property
    def T(self) -> "Matrix":
        """The transpose, stored by rows as well: both products run through memory in order."""
        from scipy.sparse import csr_matrix  # imported here: `import course_lib` stays fast

        parts = (self.weight.cpu().numpy(), self.index.cpu().numpy(), self.start.cpu().numpy())
        by_column = csr_matrix(parts, shape=(len(self.start) - 1, self.columns)).tocsc()
        arrays = (by_column.indptr, by_column.indices, by_column.data)
        start, index, weight = (torch.from_numpy(a).to(self.weight.device) for a in arrays)
        return Matrix(start, index, weight, len(self.start) - 1)


def interpolation(trajectory: Tensor, grid: tuple[int, int], kernel: Kernel, dtype: torch.dtype) -> Matrix:
    """The matrix (frames * samples, frames * rows * columns) that reads `trajectory` off the grids of all frames.

    trajectory (frames, samples, 2) in cycles per pixel, grid (rows, columns) both even. Grid point (m, n) holds the
    frequency (m / rows, n / columns) times (-1)^(m + n), which places the image centre in the middle of the grid.
    """
    frames, samples, _ = trajectory.shape
    size = torch.tensor(grid, dtype=torch.int32, device=trajectory.device)
    position = trajectory.double() * size
    first = (position - kernel.width / 2).ceil()
    steps = torch.arange(kernel.width, dtype=torch.int32, device=trajectory.device)
    weight = kernel(((first - position)[..., None] + steps).to(dtype))
    cell = first.int()[..., None] + steps
    weight = torch.where(cell % 2 == 0, weight, -weight)
    y, x = (cell % size[:, None]).unbind(-2)
    y = (y + torch.arange(frames, dtype=torch.int32, device=y.device)[:, None, None] * grid[0]) * grid[1]
    index = (y[..., :, None] + x[..., None, :]).flatten()
    weight = (weight[..., 0, :, None] * weight[..., 1, None, :]).flatten()
    start = torch.arange(frames * samples + 1, dtype=torch.int32, device=y.device) * kernel.width**2
    return Matrix(start, index, weight, frames * grid[0] * grid[1])
