"""A critic: a classifier made of convolutions that gives an image a score, high for what it takes for real.

Convolutions with stride 2, as in DCGAN (Radford, Metz & Chintala, ICLR 2016); the scores of all places are averaged, as
in GANCS, so that any size of image will do. No normalisation: a batch here is one or two images.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import Image
from .complex import as_real


class Critic(nn.Module):
    """Complex (batch, height, width) -> one score a sample, (batch,). widths: channels after each halving."""

    def __init__(self, widths: Sequence[int] = (8, 16, 32, 64), kernel: int = 3):
        super().__init__()
        layers: list[nn.Module] = []
        for inside, outside in zip([2, *widths], widths):
            layers += [nn.Conv2d(inside, outside, kernel, stride=2, padding=1), nn.LeakyReLU(0.2)]
        last = widths[-1]
        layers += [nn.Conv2d(last, last, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(last, last, 1), nn.LeakyReLU(0.2)]
        self.scores = nn.Sequential(*layers, nn.Conv2d(last, 1, 1))

    def forward(self, x: Image) -> Float[Tensor, " batch"]:
        return self.scores(as_real(x)).mean((-3, -2, -1))
