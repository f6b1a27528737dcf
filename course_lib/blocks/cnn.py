"""A plain chain of 3x3 convolutions."""

from collections.abc import Callable

from torch import nn


def cnn(width: int, depth: int, channels: int = 2, act: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """`depth` 3x3 convolutions, `width` channels inside, `act` between them.

    The last convolution starts at zero, so that a residual network starts as the identity.
    """
    widths = [channels, *[width] * (depth - 1), channels]
    layers = []
    for inside, outside in zip(widths[:-1], widths[1:]):
        layers += [nn.Conv2d(inside, outside, 3, padding=1), act()]
    return silent(nn.Sequential(*layers[:-1]))


def silent(net: nn.Sequential) -> nn.Sequential:
    """The network, its last layer at zero: until it has learned something it says nothing."""
    for parameter in net[-1].parameters():
        nn.init.zeros_(parameter)
    return net
