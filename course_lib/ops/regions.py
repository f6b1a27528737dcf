"""K-space in regions of their own: the centre, and rings around it, each twice as wide as the one before."""

import torch
from torch import Tensor

Box = tuple  # (..., rows, columns): an index


def regions(k: Tensor, count: int) -> list[tuple[Box, Tensor]]:
    """From the centre outwards: the box of each region, and (rows, columns) of that box, 1 in the region.

    k (..., height, width). The box of the last region is all of k-space, that of each other has half the next one's
    height and width (rounded up), the centre in its middle; a region is its box without the one before.
    """
    sizes = [tuple(-(-n // 2 ** (count - 1 - i)) for n in k.shape[-2:]) for i in range(count)]
    found, inner = [], None
    for size in sizes:
        box = (..., *(slice(n // 2 - s // 2, n // 2 - s // 2 + s) for n, s in zip(k.shape[-2:], size)))
        ring = torch.ones(k.shape[-2:], device=k.device)
        if inner is not None:
            ring[inner] = 0
        found.append((box, ring[box]))
        inner = box
    return found


def put(k: Tensor, box: Box, part: Tensor) -> Tensor:
    """A copy of k with `part` added in its box."""
    k = k.clone()
    k[box] += part
    return k


def scale(k: Tensor) -> Tensor:
    """Root mean square of the samples (batch, coil, height, width) that are not 0: (batch, 1, 1, 1), 1 if all are 0."""
    energy, count = (x.sum((1, 2, 3), keepdim=True) for x in (k.abs().square(), (k != 0).float()))
    return torch.where(energy > 0, energy / count.clamp_min(1), 1).sqrt()
