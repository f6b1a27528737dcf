"""The U-Net between complex images, in two ways that cost the same when the widths stand as 7 to 10.

Both start at zero: they are meant for residuals.
"""

from torch import nn

from .complex import OnComplexChannels
from .complex_layers import complex_valued
from .unet import UNet


def two_channel(width: int, depth: int, images: int = 2) -> nn.Module:
    """Complex (batch, images, height, width) -> the same; real and imaginary parts as 2 `images` channels."""
    return OnComplexChannels(UNet(width, depth, inside=2 * images, outside=2 * images).silent())


def complex_net(width: int, depth: int, images: int = 2) -> nn.Module:
    """The same with complex kernels, each of two real ones: at 1 / sqrt(2) of the width, as many numbers to learn."""
    return UNet(width, depth, inside=images, outside=images, layers=complex_valued).silent()
