"""Non-linear functions of one number that are learned, another for each channel."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..solve import soft

Channels = Float[Tensor, "batch channel height width"]


class PiecewiseLinear(nn.Module):
    """A straight line between `points` values at equal distances in [-reach, reach]; beyond, it goes on with slope 1.

    It starts as the soft threshold `t`.
    """

    def __init__(self, channels: int, points: int = 101, reach: float = 1.0, t: float = 0.0):
        super().__init__()
        self.reach = reach
        self.values = nn.Parameter(soft(torch.linspace(-reach, reach, points), t).repeat(channels, 1))

    def forward(self, z: Channels) -> Channels:
        count, inside = self.values.shape[1], z.float().clamp(-self.reach, self.reach)
        place = (inside + self.reach) * ((count - 1) / (2 * self.reach))
        left = place.detach().floor().clamp_max(count - 2)
        index = left.long() + count * torch.arange(z.shape[1], device=z.device)[:, None, None]
        low, high = (self.values.flatten()[index + i] for i in (0, 1))
        return low + (place - left) * (high - low) + (z - inside)


class RadialBasis(nn.Module):
    """phi(z) = sum_j w_j exp(-(z - mu_j)^2 / (2 sigma^2)): `count` bells at equal distances in [-reach, reach].

    sigma is that distance. It starts as a line through 0, of slope 2.5 `rise`; far outside it is 0.
    """

    def __init__(self, channels: int, count: int = 31, reach: float = 1.0, rise: float = 0.04):
        super().__init__()
        self.reach = reach
        self.weight = nn.Parameter((rise * torch.linspace(-reach, reach, count)).repeat(channels, 1))

    def forward(self, z: Channels) -> Channels:
        return _Bells.apply(z.float(), self.weight, self.reach)


class _Bells(torch.autograd.Function):
    """The sum bell by bell, forward and back: a history would hold as many images as there are bells."""

    @staticmethod
    def forward(ctx, z, weight, reach):
        ctx.reach = reach
        ctx.save_for_backward(z, weight)
        total = torch.zeros_like(z)
        for j, bell, _ in _bells(z, weight, reach):
            total += weight[:, j, None, None] * bell
        return total

    @staticmethod
    def backward(ctx, grad):
        z, weight = ctx.saved_tensors
        slope, grad_weight = torch.zeros_like(z), torch.zeros_like(weight)
        for j, bell, distance in _bells(z, weight, ctx.reach):
            slope -= weight[:, j, None, None] * bell * distance
            grad_weight[:, j] = (grad * bell).sum((0, 2, 3))
        return grad * slope * ((weight.shape[1] - 1) / (2 * ctx.reach)), grad_weight, None


def _bells(z: Tensor, weight: Tensor, reach: float):
    """Of each bell its number, its values at z, and how many sigma z is away from its centre."""
    count = weight.shape[1]
    place = (z + reach) * ((count - 1) / (2 * reach))
    for j in range(count):
        distance = place - j
        yield j, torch.exp(-0.5 * distance * distance), distance
