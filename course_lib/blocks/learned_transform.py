"""A learned transform and its way back: what stands in the place of a wavelet transform."""

import torch
from torch import Tensor, nn

from ..shapes import Image
from .complex import as_complex, as_real


class LearnedTransform(nn.Module):
    """D: complex image (batch, height, width) -> `width` real features; Dt: the way back. Each is conv - ReLU - conv.

    channels: 2, or 1 for real images. At first Dt(D(x)) = x: the first features are copies of the image, all others
    see it through random kernels, and Dt takes no notice of them yet.
    """

    def __init__(self, width: int, channels: int = 2):
        super().__init__()
        ends = (channels, width), (width, width), (width, width), (width, channels)
        a, b, c, d = (nn.Conv2d(inside, outside, 3, padding=1, bias=False) for inside, outside in ends)
        _pass_on(a.weight, b.weight, channels)
        _pass_on(c.weight, d.weight, channels)
        self.there, self.back = nn.Sequential(a, nn.ReLU(), b), nn.Sequential(c, nn.ReLU(), d)

    def D(self, x: Image) -> Tensor:
        return self.there(as_real(x))

    def Dt(self, h: Tensor) -> Image:
        return as_complex(self.back(h))


@torch.no_grad()
def _pass_on(first: Tensor, second: Tensor, channels: int) -> None:
    """Let the first channels through as they are: v = relu(v) - relu(-v), in the middle tap."""
    first[: 2 * channels] = 0
    second[:channels] = 0
    for i in range(2 * channels):
        first[i, i // 2, 1, 1] = second[i // 2, i, 1, 1] = (-1) ** i
