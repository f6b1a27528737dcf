"""One scan as two looks: its lines are dealt out at random, so that each look stands for what the other lacks."""

from typing import NamedTuple

import torch
from torch import Tensor


class Looks(NamedTuple):
    """first: mask of the first look; second: of the lines that are left; weight: of those, in an unbiased whole."""

    first: Tensor
    second: Tensor
    weight: Tensor

    @property
    def whole(self) -> Tensor:
        """What each line weighs so that on average over all looks no line is missing: 1 in the first look."""
        return self.first + self.weight * self.second


def deal(mask: Tensor, share: float = 0.5, centre: float = 0.08) -> Looks:
    """The first look gets the `centre` of the lines and each other one with the chance `share`.

    Outside the centre lines must have been drawn alike. Then, whatever the first look holds, each line that it lacks is
    in the second with the same chance: the lines of the second over the lines that the first lacks. weight is its
    inverse, as in Lehtinen et al., ICML 2018, section 3.3. A mask is dealt out in the same way at every call.
    """
    width, block = mask.shape[-1], round(mask.shape[-1] * centre)
    from_middle = torch.arange(width, device=mask.device) - (width - block + 1) // 2
    middle = mask * ((from_middle >= 0) & (from_middle < block))
    seed = int((mask * torch.arange(1, width + 1, device=mask.device)).sum())
    drawn = torch.rand(mask.shape, generator=torch.Generator().manual_seed(seed)).to(mask)
    first = middle + (mask - middle) * (drawn < share)
    second, places = mask - first, mask.shape[-2] * width
    lacking, left = places - first.sum((-2, -1), keepdim=True), second.sum((-2, -1), keepdim=True)
    return Looks(first, second, lacking / left.clamp_min(1))
