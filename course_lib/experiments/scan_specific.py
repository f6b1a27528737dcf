"""Review, section 2.2: networks that are trained on the calibration lines of one scan.

Two numbers are measured on the real scan, because one alone is easy to lower: noise, from replicas with trained weights
kept fixed, and the structured error that is left without it (solve.gfactor.split). The unit is a block of the head.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ..blocks import REACH
from ..data.dataset import Slice
from ..evaluate import evaluate, head, tune
from ..methods.base import card
from ..ops import Coils, ifft2c
from ..profiles import Profile
from ..sampling import effective_acceleration, uniform
from ..scores import bootstrap
from ..solve import grappa
from ..solve.gfactor import split
from . import scans
from .base import Verdict, decide, experiment
from .statistics import words

LESS = 0.05  # margin: the logarithm of a ratio this close to 0 is no change
BLOCKS = 16  # the head is cut into so many blocks along each axis
KERNELS = (5, 2), REACH, (5, 4)
RIDGES = 1e-4, 1e-3, 1e-2, 1e-1, 1.0
STRONG = 1e-2, 3e-2, 1e-1, 3e-1, 1.0
Guess = Callable[[Tensor], Tensor]  # acquired lines -> the lines between them


@dataclass(frozen=True)
class Setting:
    """Acceleration and calibration lines."""

    R: int
    lines: int

    def mask(self, width: int) -> Tensor:
        return uniform(width, self.R, self.lines)


GRID = [Setting(R, lines) for lines in (16, 24, 40) for R in (3, 4, 5, 6)]
SETTINGS = {"ci": [Setting(2, 16), Setting(3, 24)], "cpu": GRID, "gpu": GRID}


@dataclass(frozen=True)
class Measured:
    """Noise over the full scan's and sqrt(effective R), and squared structured error, of each block (block,)."""

    noise: Tensor
    structure: Tensor


@experiment(28, "2.2", "RAKI amplifies noise less than GRAPPA.")
def raki(where: Profile) -> Verdict:
    cheaper: list[str] = []

    def pair(whole: Slice, s: Setting, replicas: int) -> tuple[Measured, Measured]:
        kernel, lam = chosen(s, where)
        network = measure(whole, s, small("raki").learn(*sampled(whole, s)), REACH, replicas)
        if hardest(s, where):
            ridges = [linear(whole, s, kernel, strong, replicas) for strong in STRONG]
            near = min(ridges, key=lambda m: abs(root(m.noise.square()) - root(network.noise.square())))
            cheaper.append(f"R = {s.R}, {s.lines} lines: {told(near)}")
        return linear(whole, s, kernel, lam, replicas), network

    found = over_settings(pair, where)
    return judge(found, "tuned GRAPPA", f" GRAPPA with the ridge that brings its noise nearest: {'; '.join(cheaper)}.")


@experiment(31, "2.2", "In residual RAKI the network takes away noise that the linear branch amplifies.")
def residual_raki(where: Profile) -> Verdict:
    tuned: list[str] = []

    def pair(whole: Slice, s: Setting, replicas: int) -> tuple[Measured, Measured]:
        both = small("rraki").learn(*sampled(whole, s))
        alone = lambda k: grappa.predict(k, both.weights)
        if hardest(s, where):
            tuned.append(f"R = {s.R}, {s.lines} lines: {told(linear(whole, s, *chosen(s, where), replicas))}")
        return measure(whole, s, alone, REACH, replicas), measure(whole, s, both, REACH, replicas)

    found = over_settings(pair, where)
    return judge(found, "its linear branch alone", f" Tuned GRAPPA: {'; '.join(tuned)}.")


def hardest(s: Setting, where: Profile) -> bool:
    return s.R == max(other.R for other in SETTINGS[where.name])


def small(name: str) -> Any:  # with `learn`, which not every method has
    return card(name).build(**card(name).small)


def over_settings(pair: Callable, where: Profile) -> dict[Setting, tuple[Measured, Measured]]:
    """(reference, method) on the real scan at every setting of the profile."""
    size, coils, replicas = {"ci": (64, 4, 20), "cpu": (128, 8, 30), "gpu": (224, 13, 50)}[where.name]
    whole = scans.scanned_head(size, coils)
    return {s: pair(whole, s, replicas) for s in SETTINGS[where.name]}


def judge(found: dict[Setting, tuple[Measured, Measured]], reference: str, more: str = "") -> Verdict:
    """Less noise, as the logarithm of a ratio, block by block and averaged over settings; the rest is the remark."""
    less = torch.stack([(a.noise / b.noise).log() for a, b in found.values()])
    effect = bootstrap(less.mean(0))
    high = torch.tensor([s.R for s in found]) == max(s.R for s in found)
    rows = "; ".join(f"R = {s.R}, {s.lines} lines: {told(a)} and {told(b)}" for s, (a, b) in found.items())
    remark = (
        f"Real scan, blocks of one head. At the largest R alone {words(bootstrap(less[high].mean(0)))}. "
        f"Noise + structured error of {reference} and of the method, in standard deviations of the full scan: {rows}."
    )
    return Verdict(decide(effect, LESS), effect, f"log of the noise of {reference} over the method's", remark + more)


def told(m: Measured) -> str:
    return f"{root(m.noise.square()):.2f} + {root(m.structure):.2f}"


def root(squares: Tensor) -> float:
    return float(squares.mean().clamp_min(0).sqrt())


def sampled(whole: Slice, s: Setting) -> tuple[Tensor, Tensor]:
    mask = s.mask(whole.kspace.shape[-1])
    return whole.kspace * mask, mask


def chosen(s: Setting, where: Profile) -> tuple[tuple[int, int], float]:
    """GRAPPA's kernel and ridge with the lowest NRMSE on validation subjects."""
    samples, found = scans.few("val", where, 3, lambda width, seed: s.mask(width)), {}
    for kernel in KERNELS:
        if (kernel[1] - 1) * s.R < s.lines:
            build = lambda lam, kernel=kernel: card("grappa").build(kernel=kernel, lam=lam)
            lam = tune(build, samples, RIDGES)
            found[kernel, lam] = evaluate(build(lam), samples).mean("nrmse")
    return min(found, key=lambda settings: found[settings])


def linear(whole: Slice, s: Setting, kernel: tuple[int, int], lam: float, replicas: int) -> Measured:
    """GRAPPA, measured."""
    weights = grappa.calibrate(*sampled(whole, s), kernel, lam)
    return measure(whole, s, lambda k: grappa.predict(k, weights), kernel, replicas)


def measure(whole: Slice, s: Setting, guess: Guess, kernel: tuple[int, int], replicas: int) -> Measured:
    """Replicas of a guess whose weights stay, around the scan: new noise on it, white and of variance 1."""
    mask, coils, images = s.mask(whole.kspace.shape[-1]), Coils(whole.maps), []
    for seed in range(replicas):
        k = whole.kspace + scans.noise_like(whole.kspace, seed)
        with torch.no_grad():
            filled = grappa.between(k * mask, mask, kernel, guess)
        images.append(coils.H(ifft2c(torch.cat([filled, k]))))
    x, full = torch.stack(images, 1)
    inside = head(whole.image)[0]
    noise = in_blocks(split(x)[1], inside).sqrt() / effective_acceleration(mask) ** 0.5
    return Measured(noise, in_blocks(split(x - full)[0], inside))


def in_blocks(values: Tensor, inside: Tensor) -> Tensor:
    """Means of (height, width) over those blocks that lie in the head by half at least."""
    size = values.shape[-1] // BLOCKS
    share = avg_pool2d(inside[None], size)[0]
    return (avg_pool2d((values * inside)[None], size)[0] / share.clamp_min(1e-6))[share >= 0.5]
