"""Patches: all small squares of an image, and back."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .linear import LinearOperator


@dataclass(frozen=True, eq=False, repr=False)
class Patches(LinearOperator):
    """Image (*lead, height, width) -> its squares (*lead, patch, size * size); the adjoint adds them up where they lay.

    shape: (height, width) of the image. A square begins at every `stride`-th row and column; those that reach beyond an
    edge go on at the other side, so that with stride 1 every pixel lies in size * size of them.
    """

    shape: tuple[int, int]
    size: int = 6
    stride: int = 1

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(-2)[..., self._places(x.device)]

    def adjoint(self, y: Tensor) -> Tensor:
        x = y.new_zeros(*y.shape[:-2], self.shape[0] * self.shape[1])
        return x.index_add(-1, self._places(y.device).flatten(), y.flatten(-2)).unflatten(-1, self.shape)

    def cover(self) -> Tensor:
        """How many squares each pixel lies in, (height, width)."""
        return self.adjoint(self.forward(torch.ones(self.shape)))

    def _places(self, device: torch.device) -> Tensor:
        """Which pixels of the flat image each square holds, (patch, size * size)."""
        rows, columns = (
            (torch.arange(0, n, self.stride, device=device)[:, None] + torch.arange(self.size, device=device)) % n
            for n in self.shape
        )
        return (rows[:, None, :, None] * self.shape[1] + columns[:, None]).flatten(2).flatten(0, 1)
