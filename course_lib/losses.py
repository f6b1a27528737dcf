"""Losses: how far is a reconstruction from the truth? Each takes (x, ref) and returns one number.

The adversarial ones take (scores, label) instead: how far are a critic's scores from what real images (label 1) or
reconstructed ones (label 0) should get? The critic lowers a(D(truth), 1) + a(D(x), 0), the generator a(D(x), 1).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from . import metrics
from .ops.sense import fft2c
from .shapes import Image


def mse(x: Image, ref: Image) -> Tensor:
    """Mean squared error of the complex images (review, section 2)."""
    return (x - ref).abs().square().mean()


def l1(x: Image, ref: Image) -> Tensor:
    """Mean absolute error of the complex images: the modulus of the difference, so phase counts too."""
    return (x - ref).abs().mean()


def relative(x: Image, ref: Image) -> Tensor:
    """||x - ref|| / ||ref|| of the complex images, averaged over the batch; an empty ref counts as one of norm 1e-3."""
    error, norm = (torch.linalg.vector_norm(v, dim=(-2, -1)) for v in (x - ref, ref))
    return (error / norm.clamp_min(1e-3)).mean()


def normalised(k: Tensor, ref: Tensor) -> Tensor:
    """1/2 ||k - ref|| / ||ref|| + 1/2 ||k - ref||_1 / ||ref||_1, averaged over the batch (Yaman et al., MRM 2020).

    For k-space: the squares see its centre, the absolute values the weak samples far from it.
    """
    e, ref = (k - ref).flatten(1), ref.flatten(1)
    parts = [torch.linalg.vector_norm(e, p, 1) / torch.linalg.vector_norm(ref, p, 1).clamp_min(1e-6) for p in (2, 1)]
    return torch.stack(parts).mean()


def frequency(x: Image, ref: Image) -> Tensor:
    """Squared distance of the magnitudes in k-space, averaged over the batch: where structures lie does not count."""
    return (fft2c(x).abs() - fft2c(ref).abs()).square().sum((-2, -1)).mean()


def cross_entropy(scores: Tensor, label: int) -> Tensor:
    """Scores are log-odds (Goodfellow et al., NeurIPS 2014; the generator's is their non-saturating one)."""
    return softplus((1 - 2 * label) * scores).mean()


def least_squares(scores: Tensor, label: int) -> Tensor:
    """Scores should be the label itself: LSGAN (Mao et al., ICCV 2017)."""
    return (scores - label).square().mean()


def wasserstein(scores: Tensor, label: int) -> Tensor:
    """Scores as far apart as possible (Arjovsky, Chintala & Bottou, ICML 2017): the critic's slope must be bounded."""
    return (1 - 2 * label) * scores.mean()


def gradient_penalty(critic: Callable[[Image], Tensor], real: Image, fake: Image, part: Tensor) -> Tensor:
    """mean (|slope of the critic| - 1)^2 between real and fake images: WGAN-GP (Gulrajani et al., NIPS 2017).

    part: (batch,) from 0 to 1, how far from real to fake each image lies at which the slope is taken.
    """
    between = torch.lerp(real, fake, part.to(real)[:, None, None]).detach().requires_grad_()
    slope = torch.autograd.grad(critic(between).sum(), between, create_graph=True)[0]
    return (torch.linalg.vector_norm(slope.flatten(1), dim=1) - 1).square().mean()


def critic_of_wgan_gp(critic: Callable[[Image], Tensor], real: Image, fake: Image, weight: float = 10) -> Tensor:
    """What the critic of a WGAN-GP lowers; the generator, whom `fake` must not reach, raises critic(fake)."""
    part = torch.rand(len(real), device=real.device)
    apart = wasserstein(critic(real), 1) + wasserstein(critic(fake), 0)
    return apart + weight * gradient_penalty(critic, real, fake, part)


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
