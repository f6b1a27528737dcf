"""The network of SRCNN (Dong, Loy, He & Tang, IEEE Trans. Pattern Anal. Mach. Intell. 2016), kernels 9-1-5.

9x9: patches become features; 1x1: those of low resolution become those of high; 5x5: features become pixels.
"""

from torch import nn


def srcnn(channels: int = 2, width: tuple[int, int] = (64, 32)) -> nn.Sequential:
    """Real (batch, channels, height, width) -> the same size, zeros around the image; 8,129 weights for one channel."""
    patches = nn.Conv2d(channels, width[0], 9, padding=4)
    features = nn.Conv2d(width[0], width[1], 1)
    pixels = nn.Conv2d(width[1], channels, 5, padding=2)
    return nn.Sequential(patches, nn.ReLU(), features, nn.ReLU(), pixels)
