"""An encoder whose features a loss can compare: what VGG is elsewhere, without its weights.

Perceptual losses take the layers of VGG (Simonyan & Zisserman, ICLR 2015), trained on a million photographs; those
weights cannot ship with a course. Convolutions that nobody trained keep much of what they see (Saxe et al., ICML 2011;
He, Wang & Hopcroft, NIPS 2016): here they are drawn once from a seed, so that everybody has the same ones.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d


class Encoder(nn.Module):
    """Real (batch, inside, height, width) -> a list of features, one for each scale; the resolution halves between.

    Two 3x3 convolutions with ReLU a scale, `width` channels at the first and twice as many at each next. Kernels are
    orthogonal, from `seed` alone; those of the very first layer have mean 0, so they see contrast, not brightness.
    """

    def __init__(self, width: int = 16, scales: int = 3, inside: int = 1, seed: int = 0):
        super().__init__()
        rng = torch.Generator().manual_seed(seed)
        widths = [inside, *(width * 2**i for i in range(scales))]
        layers = [_convolution(a, b, rng) for ends in zip(widths, widths[1:]) for a, b in (ends, ends[1:] * 2)]
        layers[0].weight.data -= layers[0].weight.data.mean((-2, -1), keepdim=True)
        self.scales = nn.ModuleList(
            nn.Sequential(a, nn.ReLU(), b, nn.ReLU()) for a, b in zip(layers[::2], layers[1::2])
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for scale in self.scales:
            x = scale(x if not features else avg_pool2d(x, 2))
            features.append(x)
        return features


def _convolution(inside: int, outside: int, rng: torch.Generator) -> nn.Conv2d:
    layer = nn.Conv2d(inside, outside, 3, padding=1, bias=False)
    nn.init.orthogonal_(layer.weight, gain=2**0.5, generator=rng)
    return layer
