"""Review, section 2.1: up to which factor does super-resolution gain, and do dense or residual blocks help?

Low resolution from left to right: the central lines alone. Networks see the sinc-interpolated complex image.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .. import data
from ..blocks import OnComplex, UNet, dense, resnet, silent, srcnn
from ..data.sample import Sample
from ..losses import mse
from ..methods.base import Reconstructor, card
from ..ops.linear import LinearOperator
from ..profiles import Profile
from ..sampling import Draw, centre
from ..scores import bootstrap
from ..shapes import Image, KSpace
from ..train import fit
from . import scans
from .base import Verdict, decide, experiment
from .statistics import words

GOOD = 0.5  # margin in dB over sinc interpolation, fixed before anything was measured
VISIBLE = 0.2  # margin in dB between architectures
FACTORS, CLAIMED = (2, 3, 4, 6), (2, 3)
SEEDS = (0, 1)  # of the weights; a slice counts with its mean over them
RATE = 3e-3  # learning rate


class Detour(Reconstructor):
    """x <- f(x), or x <- x + f(x) around the network, on the sinc-interpolated image; trained with squared errors."""

    def __init__(self, f: nn.Module, around: bool = True):
        super().__init__()
        self.f, self.around = OnComplex(f), around

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        x = A.H(y)
        return x + self.f(x) if self.around else self.f(x)

    def loss(self, sample: Sample) -> Tensor:
        return mse(self(sample.kspace, sample.A), sample.image)


NETWORKS: dict[str, Callable[[], Detour]] = {  # of almost equal size; silent: training starts at the interpolated image
    "SRCNN": lambda: Detour(srcnn(), around=False),
    "SRCNN with detour": lambda: Detour(silent(srcnn())),
    "dense blocks": lambda: Detour(silent(dense(growth=10, units=4))),
    "residual blocks": lambda: Detour(silent(resnet(width=17, blocks=2))),
    "residual U-Net": lambda: Detour(UNet(width=12, depth=1).silent()),
}


def low(factor: float) -> Draw:
    """The central 1 / factor of the lines."""
    return lambda width, seed: centre(width, factor)


@experiment(23, "2.1", "Super-resolution gives good results at factors of two to three.")
def good_results(where: Profile) -> Verdict:
    seconds, count = {"ci": (2.0, 4), "cpu": (30.0, 12), "gpu": (90.0, 12)}[where.name]
    width = {"ci": 8, "cpu": 16, "gpu": 32}[where.name]
    gains, others = [], []
    for factor in FACTORS:
        test = scans.few("test", where, count, low(factor))
        model = trained(lambda: Detour(UNet(width=width, depth=3).silent()), low(factor), where, seconds)
        sinc = scans.psnr(card("zero_filled").build(), test)
        gains.append(scans.psnr(model, test) - sinc)
        others.append(scans.psnr(card("sense_cg").build(), test) - sinc)
    return gained(torch.stack(gains), torch.stack(others))


def gained(gains: Float[Tensor, "factor slice"], others: Float[Tensor, "factor slice"]) -> Verdict:
    """PSNR (dB) over sinc interpolation at FACTORS, of the network and of SENSE; the claim is about CLAIMED."""
    effect = bootstrap(gains[[FACTORS.index(f) for f in CLAIMED]].mean(0))
    each, without = ("; ".join(f"{f}x {words(bootstrap(g))}" for f, g in zip(FACTORS, gs)) for gs in (gains, others))
    little = [f"{f}x" for f, g in zip(FACTORS, gains) if float(g.mean()) < GOOD]
    remark = (
        f"Residual U-Net over sinc, dB: {each}. Below {GOOD} dB at: {', '.join(little) or 'none'}. SENSE, which "
        f"learned nothing and uses the coils, over sinc: {without}."
    )
    return Verdict(decide(effect, GOOD), effect, "PSNR (dB) over sinc interpolation, mean of factors 2 and 3", remark)


@experiment(24, "2.1", "Dense or residual blocks improve on SRCNN at an equal number of parameters.")
def blocks_help(where: Profile) -> Verdict:
    seconds, count = {"ci": (1.0, 4), "cpu": (15.0, 12), "gpu": (60.0, 12)}[where.name]
    test = scans.few("test", where, count, low(2))
    found, sizes = {}, {}
    for name, build in NETWORKS.items():
        models = [trained(build, low(2), where, seconds, seed) for seed in SEEDS]
        found[name] = torch.stack([scans.psnr(model, test) for model in models])
        sizes[name] = sum(p.numel() for p in models[0].parameters())
    return improved(found, sizes)


def improved(psnr: dict[str, Float[Tensor, "seed slice"]], sizes: dict[str, int]) -> Verdict:
    """Mean PSNR of the two networks with blocks minus that of SRCNN with the same detour, slice by slice.

    The detour around the whole network is no block: SRCNN gets it, too, and the remark says what it is worth.
    """
    mean = {name: values.double().mean(0) for name, values in psnr.items()}
    blocks = (mean["dense blocks"] + mean["residual blocks"]) / 2
    effect, detour = bootstrap(blocks - mean["SRCNN with detour"]), bootstrap(mean["SRCNN with detour"] - mean["SRCNN"])
    each = "; ".join(
        f"{name} {float(mean[name].mean()):.2f} dB (between seeds {float(v.mean(1).std()):.2f}), {sizes[name]:,}"
        for name, v in psnr.items()
    )
    chi, p = friedman(torch.stack(list(mean.values())))
    remark = (
        f"Factor 2, equal seconds. PSNR and parameters: {each}. Friedman {chi:.1f} (p = {p:.1g}). The detour alone "
        f"brings {words(detour)} dB; blocks against SRCNN as published {words(bootstrap(blocks - mean['SRCNN']))} dB."
    )
    return Verdict(decide(effect, VISIBLE), effect, "PSNR (dB), blocks minus SRCNN, both with detour", remark)


def friedman(values: Float[Tensor, "method slice"]) -> tuple[float, float]:
    """Friedman's statistic of the ranks of methods within slices, and its p by the chi-squared distribution."""
    k, n = values.shape
    ranks = values.argsort(0).argsort(0).double() + 1
    chi = 12 / (n * k * (k + 1)) * ranks.sum(1).square().sum() - 3 * n * (k + 1)
    half = torch.tensor((k - 1) / 2, dtype=torch.float64)
    return float(chi), float(torch.special.gammaincc(half, (chi / 2).clamp_min(0)))


def trained(build: Callable[[], Detour], mask: Draw, where: Profile, seconds: float, seed: int = 0) -> Detour:
    """A network after so many seconds; its weights are from the seed."""
    training: Sequence[Sample] = data.slices("train", mask, where.name, training=True, strip=where.strip)
    torch.manual_seed(seed)
    model = build()
    fit(model, training, scans.few("val", where, 4, mask), seconds, lr=RATE, checks=3, seed=seed, progress=False)
    return model
