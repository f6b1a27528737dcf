"""Windows of k-space as the rows of a matrix, and back: the block-Hankel matrix of GRAPPA, SPIRiT, ALOHA and LORAKS."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import ShapeError
from .linear import LinearOperator


@dataclass(frozen=True, eq=False, repr=False)
class Hankel(LinearOperator):
    """K-space (batch, coil, *size) -> (batch, windows, coil * kernel height * kernel width).

    A row holds the samples of all coils under one place of the kernel, coil by coil, each coil row by row; only places
    where the kernel lies inside `size` count. The adjoint adds each entry to the sample that it came from, so A.N
    multiplies every sample by the number of windows that hold it. Raises `ShapeError` when the kernel does not fit.
    """

    size: tuple[int, int]
    kernel: tuple[int, int]

    def __post_init__(self):
        if any(k > n for k, n in zip(self.kernel, self.size)):
            raise ShapeError("Hankel: kernel larger than k-space", f"at most {self.size}", f"{self.kernel}")

    @property
    def places(self) -> tuple[int, int]:
        """How many places the kernel has along height and width."""
        height, width = (n - k + 1 for n, k in zip(self.size, self.kernel))
        return height, width

    def forward(self, x: Tensor) -> Tensor:
        windows = x.unfold(-2, self.kernel[0], 1).unfold(-2, self.kernel[1], 1)
        return windows.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)

    def adjoint(self, y: Tensor) -> Tensor:
        entries = y.unflatten(1, self.places).unflatten(3, (-1, *self.kernel)).permute(4, 5, 0, 3, 1, 2)
        x = y.new_zeros(*entries.shape[2:4], *self.size)
        for i, row in enumerate(entries):
            for j, part in enumerate(row):
                x[..., i : i + self.places[0], j : j + self.places[1]] += part
        return x

    def normal(self, x: Tensor) -> Tensor:
        return x * self.windows_at(x)

    def windows_at(self, x: Tensor) -> Tensor:
        """The number of windows that hold each sample (height, width), real, on the device of `x`."""
        counts = []
        for n, k in zip(self.size, self.kernel):
            place = torch.arange(n, device=x.device)
            counts.append((place + 1).minimum(n - place).clamp(max=min(k, n - k + 1)).to(x.real.dtype))
        return torch.outer(*counts)
