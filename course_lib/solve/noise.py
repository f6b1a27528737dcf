"""How strong is the noise? Read in the data, where the object says least."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ..shapes import KSpace

PART = 16  # one of so many acquired samples is looked at: those farthest from the centre of k-space


def noise_norm(y: KSpace, mask: Tensor) -> Float[Tensor, " batch"]:
    """The expected ||n|| of y = A x + n, sample by sample: how far the data of the true image lie from y.

    Each coil's variance is the median of |y|^2 over ln 2 (which is that of complex Gaussian noise, and robust against
    some signal) of the samples farthest from the centre; times the number of samples, over all coils.
    """
    v, u = ((torch.arange(n, device=y.device) - n // 2) / n for n in y.shape[-2:])
    far = torch.broadcast_to(v[:, None] ** 2 + u**2, (len(y), 1, *y.shape[2:])).flatten(2)
    acquired = torch.broadcast_to(mask > 0, (len(y), 1, *y.shape[2:])).flatten(2)
    bound = torch.where(acquired, far, math.nan).nanquantile(1 - 1 / PART, dim=-1, keepdim=True)
    energy = torch.where(acquired & (far >= bound), y.abs().square().flatten(2), math.nan)
    variance = energy.nanmedian(-1).values / math.log(2)
    return (variance.sum(1) * acquired.sum(-1)[:, 0]).sqrt()
