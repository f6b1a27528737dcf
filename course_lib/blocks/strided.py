"""A U-Net without pooling: 4x4 convolutions with stride 2 down, transposed ones up (Isola et al., CVPR 2017)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad


def _normalised(layer: nn.Module, channels: int, act: nn.Module) -> nn.Sequential:
    return nn.Sequential(layer, nn.InstanceNorm2d(channels, affine=True), act)


class StridedUNet(nn.Module):
    """Real (batch, inside, height, width) -> (batch, outside, height, width), any height and width.

    down: channels after each halving; up: after each doubling, as many; the last 1x1 convolution starts at zero. The
    first and the last halving are not normalised: the one sees the image, the other may leave a single pixel.
    """

    def __init__(self, down: Sequence[int], up: Sequence[int], inside: int = 2, outside: int = 2):
        super().__init__()
        halve = [nn.Conv2d(a, b, 4, 2, 1, bias=i in (0, len(down) - 1)) for i, (a, b) in enumerate(
            zip([inside, *down], down))]  # fmt: skip
        middle = (_normalised(layer, layer.out_channels, nn.LeakyReLU(0.2)) for layer in halve[1:-1])
        self.down = nn.ModuleList([halve[0], *middle, nn.Sequential(halve[-1], nn.LeakyReLU(0.2))])
        skips = [0, *reversed(down[:-1])]
        double = [
            nn.ConvTranspose2d(a + skip, b, 4, 2, 1, bias=False) for a, skip, b in zip([down[-1], *up], skips, up)
        ]
        self.up = nn.ModuleList(_normalised(layer, layer.out_channels, nn.ReLU()) for layer in double)
        self.last = nn.Conv2d(up[-1], outside, 1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        size, skips, multiple = x.shape[-2:], [], 2 ** len(self.down)
        x = pad(x, (0, -size[1] % multiple, 0, -size[0] % multiple))
        for halve in self.down:
            x = halve(x)
            skips.append(x)
        x = self.up[0](skips.pop())
        for double in self.up[1:]:
            x = double(torch.cat([x, skips.pop()], dim=1))
        return self.last(x)[..., : size[0], : size[1]]
