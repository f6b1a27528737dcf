"""A plain chain of 3x3 convolutions."""

from collections.abc import Callable

from torch import nn


def cnn(
    width: int, depth: int, channels: int = 2, act: Callable[[], nn.Module] = nn.ReLU, outside: int | None = None
) -> nn.Sequential:
    """`depth` 3x3 convolutions, `width` channels inside, `act` between them; `outside` channels leave, if not as many.

    The last convolution starts at zero, so that a residual network starts as the identity.
    """
    widths = [channels, *[width] * (depth - 1), outside or channels]
    layers = []
    for inside, outside in zip(widths[:-1], widths[1:]):
        layers += [nn.Conv2d(inside, outside, 3, padding=1), act()]
    for parameter in layers[-2].parameters():
        nn.init.zeros_(parameter)
    return nn.Sequential(*layers[:-1])
