"""Losses: how far is a reconstruction from the truth? Each takes (x, ref) and returns one number."""

from torch import Tensor

from . import metrics
from .shapes import Image


def mse(x: Image, ref: Image) -> Tensor:
    """Mean squared error of the complex images (review, section 2)."""
    return (x - ref).abs().square().mean()


def l1(x: Image, ref: Image) -> Tensor:
    """Mean absolute error of the complex images: the modulus of the difference, so phase counts too."""
    return (x - ref).abs().mean()


def ssim(x: Image, ref: Image) -> Tensor:
    """1 - SSIM of the magnitude images (Wang et al., IEEE Trans. Image Process. 2004)."""
    return 1 - metrics.ssim(x, ref).mean()
