"""Noise2Noise for MRI: two looks at one scan (Lehtinen et al., ICML 2018, section 3.3).

min_f ||x(y1) - t||^2        y1: the first look, some of the acquired lines; t: an image that on average is the truth

t = S_c^H F^H (y1 + w y2)    y2: the other lines, w: the inverse of their chance to be there; no line lacks on average
z <- x0 + f(x0)              f: a U-Net; x0 = (A^H A + lam)^-1 A^H y
x <- (A^H A + lam)^-1 (A^H y + lam z)                  known lines are kept
"""

from dataclasses import replace

import torch

from ... import blocks, data, losses, ops
from ...sampling import deal, random
from ...shapes import Image, KSpace
from ...solve import shifted_inverse
from ..base import Reconstructor, combine, method


@method(
    "noise2noise",
    ref=75,
    section="3",
    learns="database",
    small=dict(width=16, depth=3),
    differs=(
        "both looks come from one undersampled scan, its centre goes to both; the paper draws each look anew, by a "
        "Bernoulli variable for each sample (spectrum-consistent pairs), from a spectrum that is known in full",
        "lines outside the centre must have been drawn alike; the paper weighs each sample by its own probability",
        "the input is not weighted; many coils: the paper puts known samples back, here a solver does, softly",
        "the course's one U-Net on complex images; the paper's has 48 to 96 channels at every scale, 988,609 weights",
    ),
)
class Noise2Noise(Reconstructor):
    def __init__(self, width: int = 32, depth: int = 4, lam: float = 0.01, share: float = 0.6, centre: float = 0.08):
        super().__init__()
        self.lam, self.share, self.centre = lam, share, centre
        self.f = blocks.OnComplex(blocks.UNet(width=width, depth=depth).silent())

    def forward(self, y: KSpace, A: ops.LinearOperator) -> Image:
        AHy, lam = A.H(y), torch.tensor(self.lam, device=y.device)
        solve = shifted_inverse(A, lam)
        x0 = solve(AHy, None)
        z = x0 + self.f(x0)
        return solve(AHy + lam * z, z)

    def loss(self, sample: data.Sample) -> torch.Tensor:
        looks = deal(sample.mask, self.share, self.centre)
        target = combine(looks.whole * sample.kspace, sample.A)
        x = self(looks.first * sample.kspace, ops.Sense(looks.first, sample.maps))
        return losses.mse(x, target)


def claim_the_mean_of_its_targets_is_the_truth(model, sample):
    full, total = ops.Sense(torch.ones_like(sample.mask), sample.maps), 0
    for seed in range(400):
        mask = random(32, 3, 0.16, seed)
        whole = deal(mask, model.share, 0.16).whole
        total = total + combine(whole * full(sample.image), full) / 400
    assert (total - sample.image).norm() < 0.1 * sample.image.norm()


def claim_its_loss_compares_what_it_makes_of_the_first_look_with_the_whole(model, sample):
    looks = deal(sample.mask, model.share, model.centre)
    seen = model(looks.first * sample.kspace, ops.Sense(looks.first, sample.maps))
    target = combine(looks.whole * sample.kspace, sample.A)
    assert (model.loss(sample) - (seen - target).abs().square().mean()).abs() < 1e-6
    assert (model(sample.kspace, sample.A) - seen).abs().max() > 1e-2


def claim_its_loss_never_sees_the_image(model, sample):
    blind = replace(sample, image=sample.image * torch.nan)
    assert model.loss(blind) == model.loss(sample) and model.loss(sample).isfinite()


def claim_with_one_coil_acquired_samples_are_kept(model, sample):
    A, model.lam = ops.Sense(sample.mask, torch.ones_like(sample.maps[:, :1])), 2e-3
    assert (A(model(A(sample.image), A)) - A(sample.image)).abs().max() < 1e-2 * A(sample.image).abs().max()
