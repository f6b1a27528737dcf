"""What was measured, split in two: one part to reconstruct from, one to be predicted (Yaman et al. 2020)."""

import math

import torch
from torch import Tensor

from ..errors import CourseError


def split(
    mask: Tensor,
    height: int = 1,
    rho: float = 0.4,
    focus: float = 4.0,
    centre: int = 4,
    rng: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """(Theta, Lambda): disjoint masks that make up `mask`; Lambda has the part `rho` of the samples, Theta the rest.

    Lambda is drawn anew at each call, never from the central `centre` samples of each axis, elsewhere by a Gaussian
    density whose standard deviation is the length of an axis over `focus` (0: all samples alike). A mask of whole
    lines is split by lines, or, with their `height`, by points. Each of a batch has a split of its own.
    """
    mask = mask.expand(*mask.shape[:-2], max(height, mask.shape[-2]), -1)
    if not 0 <= rho < 1:
        raise CourseError("rho, the part of the samples that is held out", "from 0 to below 1", f"{rho}")
    log_density, central = torch.zeros_like(mask), torch.ones_like(mask, dtype=torch.bool)
    for axis in (-2, -1):
        n = mask.shape[axis]
        if n > 1:
            place = (torch.arange(n, device=mask.device) - n // 2).reshape(-1, *[1] * (-1 - axis))
            log_density = log_density - 0.5 * (focus * place / n) ** 2
            central = central & (-(centre // 2) <= place) & (place < centre - centre // 2)
    free = (mask > 0) & ~central
    drawn = torch.rand(mask.shape, generator=rng, device=mask.device).clamp(1e-7, 1 - 1e-7)
    key = torch.where(free, log_density - (-drawn.log()).log(), -math.inf).flatten(1)  # the largest are the draw
    place = key.argsort(descending=True).argsort()
    wanted = (rho * mask.flatten(1).sum(1, keepdim=True)).ceil()
    held_out = ((place < wanted) & (key > -math.inf)).reshape(mask.shape).to(mask)
    return mask - held_out, held_out
