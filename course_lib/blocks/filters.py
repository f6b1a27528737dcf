"""Small filters as a linear operator: what a learned prior looks at."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from ..ops.linear import LinearOperator
from .complex import as_complex, as_real


def cosines(like: Tensor) -> Tensor:
    """The eight cosine patterns of 3 x 3 pixels that have mean 0 and norm 1, (8, 3, 3), orthogonal to each other."""
    n = torch.arange(3, device=like.device, dtype=like.dtype)
    waves = torch.cos(torch.pi * n[:, None] * (n + 0.5) / 3)
    waves = waves / waves.norm(dim=1, keepdim=True)
    return (waves[:, None, :, None] * waves[:, None, :]).flatten(0, 1)[1:]


def mirrored(kernels: Tensor) -> Tensor:
    """The kernels (outside, inside, odd, odd) of the adjoint: `conv2d` with them is faster than `conv_transpose2d`."""
    return kernels.flip(-2, -1).transpose(0, 1)


@dataclass(frozen=True, eq=False, repr=False)
class Filters(LinearOperator):
    """Complex image (batch, height, width) -> its response to each filter, (batch, filter, height + 2, width + 2).

    kernels (filter, 3, 3), real. Outside the image there is 0, and a filter responds wherever it touches the image. The
    normal operator is then one filter of 5 x 5. Never in half precision: solvers rely on it.
    """

    kernels: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return _convolved(x.unsqueeze(1), self.kernels[:, None], padding=2)

    def adjoint(self, y: Tensor) -> Tensor:
        return _convolved(y, mirrored(self.kernels[:, None]), padding=0).squeeze(1)

    def normal(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            both = conv2d(self.kernels[None], self.kernels[None], padding=2)
        return _convolved(x.unsqueeze(1), both, padding=2).squeeze(1)


def _convolved(x: Tensor, kernels: Tensor, padding: int) -> Tensor:
    """Complex (batch, inside, height, width) by real kernels (outside, inside, rows, columns)."""
    with torch.autocast(x.device.type, enabled=False):
        return as_complex(conv2d(as_real(x).flatten(0, 1), kernels, padding=padding).unflatten(0, (len(x), 2)))


class CosineFilters(nn.Module):
    """Learned filters of mean 0: `weights` (filter, 8) of the cosine patterns; at first each is one of them."""

    def __init__(self, filters: int = 8):
        super().__init__()
        self.weights = nn.Parameter(torch.eye(filters, 8))

    def forward(self, scale: Tensor | float = 1.0) -> Filters:
        """The operator; scale: one number, or one for each filter (filter, 1, 1)."""
        return Filters(scale * (self.weights[..., None, None] * cosines(self.weights)).sum(1))
