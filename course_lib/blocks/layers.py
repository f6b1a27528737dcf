"""What a network is made of, so that one architecture serves images, films and complex numbers alike.

A kind of layers says how a convolution, its transpose, a normalisation and a non-linearity are made; the architecture
says where they stand. `real(2)` is for images, `real(3)` for films or volumes, `complex_layers.complex_valued` for
complex images.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, avg_pool3d


@dataclass(frozen=True)
class Layers:
    """Every field but the last makes a layer.

    conv: (inside, outside), 3 pixels wide, no bias; up: (inside, outside), twice as large; norm, act: (width);
    last: (inside, outside), one pixel wide. pool halves each axis.
    """

    conv: Callable[[int, int], nn.Module]
    up: Callable[[int, int], nn.Module]
    norm: Callable[[int], nn.Module]
    act: Callable[[int], nn.Module]
    last: Callable[[int, int], nn.Module]
    pool: Callable[[Tensor], Tensor]


def real(dims: int) -> Layers:
    """Real layers over the last `dims` axes, 2 or 3: fastMRI's choices, instance normalisation and leaky ReLU."""
    conv, up, norm, pool = {
        2: (nn.Conv2d, nn.ConvTranspose2d, nn.InstanceNorm2d, avg_pool2d),
        3: (nn.Conv3d, nn.ConvTranspose3d, nn.InstanceNorm3d, avg_pool3d),
    }[dims]
    return Layers(
        conv=lambda inside, outside: conv(inside, outside, 3, padding=1, bias=False),
        up=lambda inside, outside: up(inside, outside, 2, stride=2, bias=False),
        norm=norm,
        act=lambda width: nn.LeakyReLU(0.2, inplace=True),
        last=lambda inside, outside: conv(inside, outside, 1),
        pool=lambda x: pool(x, 2),
    )
