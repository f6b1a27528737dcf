"""Small inputs for checks: the same at every call."""

from collections.abc import Iterator

import torch
from torch import Tensor


def images(*shapes: tuple[int, ...]) -> Iterator[Tensor]:
    """One random complex image (1, *shape) for each shape."""
    rng = torch.Generator().manual_seed(7)
    for shape in shapes:
        yield torch.randn(1, *shape, dtype=torch.complex64, generator=rng)
