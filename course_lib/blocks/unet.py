"""The only U-Net of the course (Ronneberger, Fischer & Brox, MICCAI 2015), with fastMRI's choices.

Two 3x3 convolutions a scale, each followed by instance normalisation and a leaky ReLU; average pooling down,
transposed convolution up, skip connections by concatenation, a 1x1 convolution at the end.
Width 32 and depth 4 with one channel has the 7,756,097 parameters of `fastmri.models.Unet`.
With dims=3 every kernel and every pooling gets a third axis (Cicek et al., MICCAI 2016): time, or slice.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ..errors import ShapeError
from .layers import Layers, real


def _double(kind: Layers, inside: int, outside: int) -> nn.Sequential:
    first, second = kind.conv(inside, outside), kind.conv(outside, outside)
    layers = ([layer, kind.norm(outside), kind.act(outside)] for layer in (first, second))
    return nn.Sequential(*(part for three in layers for part in three))


def _up(kind: Layers, inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(kind.up(inside, outside), kind.norm(outside), kind.act(outside))


class UNet(nn.Module):
    """(batch, inside, *size) -> (batch, outside, *size), any size; `size` has `dims` axes: (time,) height, width.

    layers: the kind of layers that it is made of, for so many axes: `real`, or `complex_valued` for complex images.
    """

    def __init__(
        self,
        width: int = 32,
        depth: int = 4,
        inside: int = 2,
        outside: int = 2,
        dims: int = 2,
        layers: Callable[[int], Layers] = real,
    ):
        super().__init__()
        kind, widths = layers(dims), [width * 2**i for i in range(depth + 1)]
        self.dims, self.pool = dims, kind.pool
        self.down = nn.ModuleList(_double(kind, a, b) for a, b in zip([inside, *widths[:-2]], widths[:-1]))
        self.bottom = _double(kind, widths[-2], widths[-1])
        self.up = nn.ModuleList(_up(kind, 2 * w, w) for w in reversed(widths[:-1]))
        self.merge = nn.ModuleList(_double(kind, 2 * w, w) for w in reversed(widths[:-1]))
        self.last = kind.last(width, outside)

    def silent(self) -> "UNet":
        """The last layer set to zero, so that a residual network starts as the identity; returns itself."""
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)
        return self

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != self.dims + 2:
            wanted = f"{self.dims + 2} axes: batch, channel, {'time, ' if self.dims == 3 else ''}height, width"
            raise ShapeError("UNet", wanted, f"{tuple(x.shape)}", "a film has one axis more than an image")
        if self.dims == 3 and x.device.type == "cpu":
            with torch.autocast("cpu", enabled=False):  # PyTorch 2.13: a weight's bfloat16 gradient may be NaN there
                return self._forward(x.float() if x.dtype == torch.bfloat16 else x)
        return self._forward(x)

    def _forward(self, x: Tensor) -> Tensor:
        size, skips = x.shape[-self.dims :], []
        x = self._pad(x)
        for scale in self.down:
            x = scale(x)
            skips.append(x)
            x = self.pool(x)
        x = self.bottom(x)
        for up, merge in zip(self.up, self.merge):
            x = merge(torch.cat([up(x), skips.pop()], dim=1))
        return self.last(x)[(..., *(slice(n) for n in size))]

    def _pad(self, x: Tensor) -> Tensor:
        """Zeros after the end of each axis, so that it can be halved `depth` times."""
        multiple = 2 ** len(self.down)
        spare = [(0, -n % multiple) for n in reversed(x.shape[-self.dims :])]
        return pad(x, [n for pair in spare for n in pair])
