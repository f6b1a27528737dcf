"""Review, section 1.1: are the priors of compressed sensing crude, and do they look blocky?"""

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from ..blocks import OnComplex, cnn
from ..data import slices
from ..data.sample import Sample
from ..evaluate import head, tune
from ..methods.base import Reconstructor, card
from ..ops import FiniteDifference
from ..ops.linear import LinearOperator
from ..profiles import Profile
from ..sampling import protocol
from ..scores import bootstrap
from ..shapes import Image, KSpace
from ..train import fit
from . import scans, tuning
from .base import Verdict, decide, experiment
from .statistics import words

VISIBLE = 0.2  # margin in dB
FLAT = 0.01  # a gradient below this part of the truth's 99th percentile is none
FLATTER = 0.02  # margin: two percent more of the pixels
EQUAL = 0.3  # dB: means this close count as equal PSNR


class PlugAndPlay(Reconstructor):
    """A CNN that learned to remove white noise, in the place of the prox (Venkatakrishnan et al., GlobalSIP 2013).

    v <- x - A^H (A x - y);   x <- v - strength * f(v)      f estimates the noise in an image
    """

    def __init__(self, width: int = 32, depth: int = 5, strength: float = 0.5, iterations: int = 30):
        super().__init__()
        self.f = OnComplex(cnn(width=width, depth=depth))
        self.strength, self.iterations = strength, iterations

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        x = AHy = A.H(y)
        for _ in range(self.iterations):
            v = x - (A.N(x) - AHy)
            x = v - self.strength * self.f(v)
        return x

    def loss(self, sample: Sample) -> Tensor:
        """Squared error of the noise that f finds in the truth plus noise of 0 to 10 %: the data are not used."""
        level = 0.1 * torch.rand(len(sample.image), 1, 1, device=sample.image.device)
        noise = level * torch.randn_like(sample.image)
        return (self.f(sample.image + noise) - noise).abs().square().mean()


@experiment(9, "1.1", "The priors of compressed sensing are crude: learned ones reconstruct better.")
def learned_priors(where: Profile) -> Verdict:
    seconds, count = {"ci": (4.0, 4), "cpu": (60.0, 12), "gpu": (120.0, 12)}[where.name]
    validation, test, real = (scans.few(s, where, n) for s, n in (("val", 4), ("test", count), ("real", 5)))
    crude = [scans.tuned(name, validation) for name in ("cs_tv", "cs_wavelet")]
    network = trained(card("dc_cnn").build(**card("dc_cnn").small), where, seconds, validation)
    plug = plug_and_play(where, seconds / 3, validation)
    noisy = [tuning.scanned(s, 4, 3, seed) for seed, s in enumerate(scans.full("test", where, count))]
    return learned_better(network, crude, plug, {"test": test, "real scan": real, "3 times the noise": noisy})


def learned_better(
    network: Reconstructor, crude: Sequence[Reconstructor], plug: Reconstructor, samples: dict[str, list[Sample]]
) -> Verdict:
    """PSNR of the network minus the best of the crude priors on samples["test"]; the rest is remark."""
    gains = {name: bootstrap(scans.over_the_best(network, crude, few)) for name, few in samples.items()}
    plugged = {name: bootstrap(scans.over_the_best(plug, crude, few)) for name, few in samples.items()}
    parameters = [sum(p.numel() for p in m.parameters()) for m in (network, plug)]
    outside = [f"{name} {words(gain)}" for name, gain in gains.items() if name != "test"]
    there = [f"{name} {words(gain)}" for name, gain in plugged.items()]
    remark = (
        f"Unrolled network of {parameters[0]:,} parameters, minus the better of tuned TV and wavelets. "
        f"Out of distribution: {'; '.join(outside)}. "
        f"A denoiser of {parameters[1]:,} parameters plugged in: {'; '.join(there)}."
    )
    effect = gains["test"]
    return Verdict(
        decide(effect, VISIBLE), effect, "PSNR (dB) on the unseen subject, learned minus crude prior", remark
    )


def trained(model: Reconstructor, where: Profile, seconds: float, validation: Sequence[Sample]) -> Reconstructor:
    torch.manual_seed(0)
    training = slices("train", protocol(4), where.name, training=True, strip=where.strip)
    fit(model, training, validation, seconds, checks=3, progress=False)
    return model


def plug_and_play(where: Profile, seconds: float, validation: Sequence[Sample]) -> PlugAndPlay:
    """A trained denoiser; how strongly it is applied is tuned on the validation subjects."""
    model = PlugAndPlay()
    trained(model, where, seconds, validation)

    def stronger(strength: float) -> PlugAndPlay:
        model.strength = strength
        return model

    return stronger(tune(stronger, validation, [0.05, 0.1, 0.2, 0.4, 0.7, 1.0]))


@experiment(7, "1.1", "Images of compressed sensing look blocky.")
def blockiness(where: Profile) -> Verdict:
    seconds, count = {"ci": (6.0, 4), "cpu": (90.0, 12), "gpu": (90.0, 12)}[where.name]
    validation, test = scans.few("val", where, 4), scans.few("test", where, count)
    tv, wavelet = (scans.tuned(name, validation) for name in ("cs_tv", "cs_wavelet"))
    network = card("dc_cnn").build(**card("dc_cnn").small)
    train_until(network, where, test[:: max(1, count // 4)], tv, seconds)
    return flatter(tv, network, wavelet, test)


def train_until(model: Reconstructor, where: Profile, few: Sequence[Sample], rival: Reconstructor, seconds: float):
    """Train until the model is as good as its rival on these slices: nothing is said about which is better."""
    torch.manual_seed(0)
    training = slices("train", protocol(4), where.name, training=True, strip=where.strip)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    goal, end, step = scans.psnr(rival, few).mean(), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        optimiser.zero_grad()
        model.loss(training[step * 7 % len(training)]).backward()
        optimiser.step()
        step += 1
        if step % 10 == 0 and scans.psnr(model, few).mean() >= goal:
            return


def flatter(tv: Reconstructor, network: Reconstructor, wavelet: Reconstructor, samples: Sequence[Sample]) -> Verdict:
    """Share of flat pixels in the head, TV minus a network of equal PSNR, slice by slice."""
    methods = {"TV": tv, "wavelets": wavelet, "network": network}
    shares, tails = {}, {}
    with torch.no_grad():
        images = {name: [m(s.kspace, s.A) for s in samples] for name, m in methods.items()}
    for name, shown in (images | {"truth": [s.image for s in samples]}).items():
        shares[name] = torch.tensor([flat(x, s.image) for x, s in zip(shown, samples)])
        tails[name] = torch.tensor([kurtosis(x, s.image) for x, s in zip(shown, samples)])
    effect = bootstrap(shares["TV"] - shares["network"])
    over = bootstrap(shares["TV"] - shares["truth"])
    apart = bootstrap(scans.psnr(tv, samples) - scans.psnr(network, samples))
    equal = abs(apart.mean) <= EQUAL
    facts = ", ".join(f"{name} {float(shares[name].mean()):.3f} / {float(tails[name].mean()):.1f}" for name in shares)
    remark = (
        f"Flat share / kurtosis of the gradient: {facts}. TV minus truth {words(over, 3)}. "
        f"PSNR of TV minus network {words(apart)} dB{'' if equal else ': not equal, so nothing is decided'}. "
        "Whether it looks unnatural is for eyes."
    )
    outcome = decide(effect, FLATTER) if equal else "not decided"
    return Verdict(outcome, effect, "share of flat pixels, TV minus a network of equal PSNR", remark)


def flat(x: Tensor, truth: Tensor) -> float:
    """Share of the pixels of the head (1, height, width) where the magnitude does not change."""
    size = FiniteDifference()(x.abs()).square().sum(1).sqrt()
    return float((size[head(truth) > 0] < FLAT * truth.abs().quantile(0.99)).float().mean())


def kurtosis(x: Tensor, truth: Tensor) -> float:
    """Of the differences of the magnitude in the head: 3 for Gaussian ones, more when few jumps hold the change."""
    d = FiniteDifference()(x.abs())[:, :, head(truth)[0] > 0]
    return float(d.pow(4).mean() / d.square().mean().square())
