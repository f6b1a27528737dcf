"""A residual network (He, Zhang, Ren & Sun, CVPR 2016) that keeps the size of the image.

h <- h + conv(relu(conv(relu(h))))        a residual block; activations first, as in He et al., ECCV 2016
"""

from torch import Tensor, nn


class Residual(nn.Module):
    """`width` channels in and out; the second convolution starts at zero, so the block starts as the identity."""

    def __init__(self, width: int):
        super().__init__()
        first, second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        for parameter in second.parameters():
            nn.init.zeros_(parameter)
        self.change = nn.Sequential(nn.ReLU(), first, nn.ReLU(), second)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.change(h)


def resnet(width: int, blocks: int, inside: int = 2, outside: int = 2) -> nn.Sequential:
    """Real (batch, inside, height, width) -> (batch, outside, height, width).

    A 3x3 convolution to `width` channels, `blocks` residual blocks, another 3x3 and a 1x1.
    """
    layers = [nn.Conv2d(inside, width, 3, padding=1), *(Residual(width) for _ in range(blocks))]
    return nn.Sequential(*layers, nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, outside, 1))
