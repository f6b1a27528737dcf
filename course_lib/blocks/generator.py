"""A generator: a few numbers become an image, doubled in size again and again, as in DCGAN (Radford et al., ICLR 2016).

h <- W z                                      a small picture with many channels
h <- act(norm(conv(larger(h))))               nearest neighbours, twice as large, half as many channels
x <- conv(h)

Instead of a batch normalisation each pixel's channels are brought to length 1 on average (Karras et al., ICLR 2018): an
image does not depend on the others that are made beside it.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu

from ..shapes import Image
from .complex import as_complex


class Generator(nn.Module):
    """Real z (batch, latent) -> complex images (batch, height, width) of one size.

    width: channels of the smallest picture, which is 2^depth times smaller than the image.
    """

    def __init__(self, size: tuple[int, int], latent: int = 64, width: int = 64, depth: int = 3):
        super().__init__()
        self.size, self.latent = size, latent
        self.start = (width, *(-(-n // 2**depth) for n in size))
        widths = [max(width >> i, 8) for i in range(depth + 1)]
        self.first = nn.Linear(latent, width * self.start[1] * self.start[2])
        self.larger = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(widths, widths[1:]))
        self.last = nn.Conv2d(widths[-1], 2, 3, padding=1)

    def forward(self, z: Float[Tensor, "batch latent"]) -> Image:
        h = _act(self.first(z).unflatten(1, self.start))
        for conv in self.larger:
            h = _act(conv(interpolate(h, scale_factor=2)))
        return as_complex(self.last(h))[..., : self.size[0], : self.size[1]]

    def draw(self, count: int) -> Float[Tensor, "count latent"]:
        """So many z of normal numbers: what the generator learns to turn into images."""
        return torch.randn(count, self.latent, device=self.first.weight.device)


def _act(h: Tensor) -> Tensor:
    return leaky_relu(h * (h.square().mean(1, keepdim=True) + 1e-8).rsqrt(), 0.2)
