"""A convolutional auto-encoder: to half the pixels and back. No skip connection, so it must say what it kept."""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad


class AutoEncoder(nn.Module):
    """Real (batch, 2, height, width) -> the same; `depth` halvings by 4x4 convolutions with stride 2, then back."""

    def __init__(self, width: int, depth: int = 1):
        super().__init__()
        widths = [width * 2**i for i in range(depth + 1)]
        down, up = zip(widths, widths[1:]), zip(widths[:0:-1], widths[-2::-1])
        layers = [nn.Conv2d(2, width, 3, padding=1)]
        layers += [nn.Conv2d(a, b, 4, 2, 1) for a, b in down] + [nn.Conv2d(widths[-1], widths[-1], 3, padding=1)]
        self.layers = nn.ModuleList([*layers, *(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in up)])
        self.last, self.multiple = nn.Conv2d(width, 2, 3, padding=1), 2**depth

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        x = pad(x, (0, -width % self.multiple, 0, -height % self.multiple))
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.last(x)[..., :height, :width]
