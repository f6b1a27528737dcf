"""Radial trajectories: where in k-space each sample of each spoke lies."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def golden_angle(spokes: int, samples: int, tiny: int = 1) -> Float[Tensor, "spokes samples 2"]:
    """Spokes that turn by pi / (golden ratio + tiny - 1), 111.25 degrees for tiny=1: any run of them fills k-space.

    Returns (ky, kx) along (H, W) in cycles per pixel, inside [-1/2, 1/2); every spoke holds k = 0 at sample samples//2.
    `tiny` > 1 gives the tiny golden angles. For T frames of S spokes: golden_angle(T * S, n).unflatten(0, (T, S)).
    Winkelmann et al., IEEE Trans. Med. Imaging 2007; Wundrak et al., Magn. Reson. Med. 2016.
    """
    step = math.pi / ((1 + math.sqrt(5)) / 2 + tiny - 1)
    angle = torch.arange(spokes, dtype=torch.float64)[:, None] * step
    radius = (torch.arange(samples, dtype=torch.float64) - samples // 2) / samples
    return torch.stack([radius * angle.sin(), radius * angle.cos()], -1)
