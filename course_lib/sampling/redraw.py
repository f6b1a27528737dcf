"""Another mask of the same kind as one that is given."""

import torch
from torch import Tensor

from .read import acs


def redrawn(mask: Tensor) -> Tensor:
    """As many lines with the same gap-free centre; where the others lie is drawn anew, by torch's own randomness.

    mask: (batch, ..., width) of whole lines; each sample of a batch gets another draw.
    """
    start, stop = acs(mask)
    outer = torch.cat([torch.arange(start), torch.arange(stop, mask.shape[-1])])
    found = mask.clone()
    for one in found:
        one[..., outer] = one[..., outer[torch.randperm(len(outer))]]
    return found
