"""The only U-Net of the course (Ronneberger, Fischer & Brox, MICCAI 2015), with fastMRI's choices.

Two 3x3 convolutions a scale, each followed by instance normalisation and a leaky ReLU; average pooling down,
transposed convolution up, skip connections by concatenation, a 1x1 convolution at the end.
Width 32 and depth 4 with one channel has the 7,756,097 parameters of `fastmri.models.Unet`.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad


def _normalised(layer: nn.Module, outside: int) -> list[nn.Module]:
    return [layer, nn.InstanceNorm2d(outside), nn.LeakyReLU(0.2, inplace=True)]


def _double(inside: int, outside: int) -> nn.Sequential:
    first = nn.Conv2d(inside, outside, 3, padding=1, bias=False)
    second = nn.Conv2d(outside, outside, 3, padding=1, bias=False)
    return nn.Sequential(*_normalised(first, outside), *_normalised(second, outside))


def _up(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(*_normalised(nn.ConvTranspose2d(inside, outside, 2, stride=2, bias=False), outside))


class UNet(nn.Module):
    """Real (batch, inside, height, width) -> (batch, outside, height, width), any height and width."""

    def __init__(self, width: int = 32, depth: int = 4, inside: int = 2, outside: int = 2):
        super().__init__()
        widths = [width * 2**i for i in range(depth + 1)]
        self.down = nn.ModuleList(_double(a, b) for a, b in zip([inside, *widths[:-2]], widths[:-1]))
        self.bottom = _double(widths[-2], widths[-1])
        self.up = nn.ModuleList(_up(2 * w, w) for w in reversed(widths[:-1]))
        self.merge = nn.ModuleList(_double(2 * w, w) for w in reversed(widths[:-1]))
        self.last = nn.Conv2d(width, outside, 1)

    def forward(self, x: Tensor) -> Tensor:
        size, skips = x.shape[-2:], []
        x = self._pad(x)
        for scale in self.down:
            x = scale(x)
            skips.append(x)
            x = avg_pool2d(x, 2)
        x = self.bottom(x)
        for up, merge in zip(self.up, self.merge):
            x = merge(torch.cat([up(x), skips.pop()], dim=1))
        return self.last(x)[..., : size[0], : size[1]]

    def _pad(self, x: Tensor) -> Tensor:
        multiple = 2 ** len(self.down)
        height, width = x.shape[-2:]
        return pad(x, (0, -width % multiple, 0, -height % multiple))
