"""A plain chain of 3x3 convolutions."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


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
    return silent(nn.Sequential(*layers[:-1]))


def silent(net: nn.Sequential) -> nn.Sequential:
    """The network, its last layer at zero: until it has learned something it says nothing."""
    for parameter in net[-1].parameters():
        nn.init.zeros_(parameter)
    return net


def start_as(net: nn.Sequential, matrix: Tensor) -> nn.Sequential:
    """The chain `net`, started so that it computes matrix @ channels, (outside, channels), in every pixel.

    A row's positive and negative part pass the ReLUs in channels of their own; the chain must be wide enough for that.
    """
    rows = matrix.any(1).nonzero().flatten()
    kept, one = 2 * len(rows), torch.eye(len(rows))
    first, *middle, last = (layer for layer in net if isinstance(layer, nn.Conv2d))
    with torch.no_grad():
        for conv in (first, *middle):
            conv.weight[:kept] = conv.bias[:kept] = 0  # pyright: ignore
        first.weight[:kept, :, 1, 1] = torch.cat([matrix[rows], -matrix[rows]])
        for conv in middle:
            conv.weight[:kept, :kept, 1, 1] = torch.eye(kept)
        last.weight[rows, :kept, 1, 1] = torch.cat([one, -one], 1)
    return net
