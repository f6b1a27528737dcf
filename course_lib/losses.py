"""Losses: how far is a reconstruction from the truth? Each takes (x, ref) and returns one number."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

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


def feature(encoder: nn.Module) -> Callable[[Image, Image], Tensor]:
    """The feature (perceptual) loss of a frozen encoder (Johnson, Alahi & Fei-Fei, ECCV 2016).

    sum over layers l of mean |phi_l(|x|) - phi_l(|ref|)|^2 / mean |phi_l(|ref|)|^2

    encoder: real (batch, 1, height, width) -> features of each layer. It is frozen here: gradients reach x, never its
    weights. What it maps to the same features costs the same, and so does every phase: add `l1` when you train with it.
    """
    encoder.eval().requires_grad_(False)

    def distance(x: Image, ref: Image) -> Tensor:
        features = encoder.to(x.device)
        with torch.no_grad():
            wanted = features(ref.abs().unsqueeze(1))
        found = features(x.abs().unsqueeze(1))
        each = [(f - w).square().mean() / w.square().mean().clamp_min(1e-12) for f, w in zip(found, wanted)]
        return torch.stack(each).sum()

    return distance
