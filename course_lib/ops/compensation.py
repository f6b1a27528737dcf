"""Density compensation: the area of k-space that each sample stands for, times H W.

With these weights F^H diag(weights) F is nearly the identity on an image of shape (H, W), inside what was sampled.
"""

from math import pi

import torch
from torch import Tensor

from .interpolate import Kernel
from .nufft import Plan


def ramp(trajectory: Tensor, shape: tuple[int, int]) -> Tensor:
    """For evenly turned spokes through the centre: area = |k| dk pi / spokes; (*frames, spokes, samples).

    A sample at k = 0 gets its share of the disc of radius dk / 2.
    """
    step = trajectory.diff(dim=-2).norm(dim=-1).median()
    radius = trajectory.norm(dim=-1).clamp(min=step / 4)
    return radius * step * (pi / trajectory.shape[-3] * shape[0] * shape[1])


def density(trajectory: Tensor, shape: tuple[int, int], iterations: int = 15) -> Tensor:
    """For any trajectory (*frames, spokes, samples, 2) in cycles per pixel: w <- w / (C C^T w), C interpolates a grid.

    Pipe & Menon, Magn. Reson. Med. 1999.
    """
    flat = trajectory.reshape(-1, *trajectory.shape[-3:]).flatten(1, 2)
    kernel = Kernel(2, 4)
    weights = torch.ones(flat.shape[:-1], device=flat.device)
    plan = Plan(flat, weights, shape, kernel, torch.float32)
    C = plan.matrix
    weights = weights.reshape(-1, 1)
    for _ in range(iterations):
        weights = weights / (C @ (C.T @ weights))
    area = weights.to(trajectory.dtype) * kernel.transform(torch.zeros(())).item() ** 4 / (plan.grid[0] * plan.grid[1])
    return (area * (shape[0] * shape[1])).reshape(trajectory.shape[:-1])
