"""A densely connected network (Huang, Liu, van der Maaten & Weinberger, CVPR 2017) that keeps the size of the image.

h <- [h, conv(elu(norm(h)))]              every unit sees the features of all units before it
"""

import torch
from torch import Tensor, nn


class Dense(nn.Module):
    """`inside` channels in, `growth` more out: those that came in stand first."""

    def __init__(self, inside: int, growth: int):
        super().__init__()
        self.new = nn.Sequential(nn.InstanceNorm2d(inside), nn.ELU(), nn.Conv2d(inside, growth, 3, padding=1))

    def forward(self, h: Tensor) -> Tensor:
        return torch.cat([h, self.new(h)], dim=1)


def dense(growth: int, units: int, channels: int = 2) -> nn.Sequential:
    """Real (batch, channels, height, width) -> the same size.

    A 3x3 convolution to 2 growth channels, `units` dense units, a 3x3 convolution of everything: one block of DCSRN
    (Chen et al., IEEE ISBI 2018), with instance in place of batch normalisation.
    """
    widths = [growth * (2 + i) for i in range(units + 1)]
    layers = [nn.Conv2d(channels, widths[0], 3, padding=1), *(Dense(w, growth) for w in widths[:-1])]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], channels, 3, padding=1))
