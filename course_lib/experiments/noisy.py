"""Review, section 3: can a network learn from noisy images alone, and does a learned dictionary beat a fixed one?"""

import time
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from .. import metrics
from ..blocks import OnComplex, cnn
from ..data.sample import Sample
from ..evaluate import tune
from ..methods.base import Reconstructor, card
from ..muon import Muon
from ..profiles import Profile
from ..scores import bootstrap
from ..train import schedule
from . import scans
from .base import Outcome, Verdict, decide, experiment
from .statistics import words

EQUAL = 0.2  # margin of equivalence in dB; fixed, as all that follows, before anything was measured
NOISE = 0.1  # standard deviation of the complex noise, as a part of the 99th percentile of the image
SHARED = 0.5  # correlation of the noise of the two copies in the control
SIZE, BATCH, SEEDS = (64, 64), 2, (0, 1)
VISIBLE = 0.2  # margin in dB
TOLERANCES = [0.03, 0.04, 0.06, 0.08, 0.1, 0.13, 0.17]
Target = Callable[
    [Tensor, Tensor, torch.Generator], Tensor
]  # (truth, noise of the input, rng) -> what the net is shown


def clean(truth: Tensor, noise: Tensor, rng: torch.Generator) -> Tensor:
    return truth


def second_copy(truth: Tensor, noise: Tensor, rng: torch.Generator) -> Tensor:
    return truth + white(truth, rng)


def related_copy(truth: Tensor, noise: Tensor, rng: torch.Generator) -> Tensor:
    """As noisy as the second copy, but half of the input's noise is in it."""
    return truth + SHARED * noise + (1 - SHARED**2) ** 0.5 * white(truth, rng)


TARGETS: dict[str, Target] = {"clean": clean, "noisy": second_copy, "correlated": related_copy}


def white(x: Tensor, rng: torch.Generator) -> Tensor:
    return NOISE * torch.randn(x.shape, dtype=x.dtype, generator=rng)


def denoiser(truth: Tensor, target: Target, steps: int, seed: int) -> Callable[[Tensor], Tensor]:
    """A CNN after so many steps on images (n, height, width) with fresh noise; x -> what is left without noise."""
    torch.manual_seed(seed)
    net, rng = OnComplex(cnn(width=24, depth=5)), torch.Generator().manual_seed(seed)
    optimiser = Muon(net)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = schedule((step + 1) / steps) * group["peak"]
        x = truth[torch.randint(len(truth), (BATCH,), generator=rng)]
        noise = white(x, rng)
        loss = (x + noise - net(x + noise) - target(x, noise, rng)).abs().square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return lambda x: x - net(x)


def images(split: str, where: Profile, count: int) -> Tensor:
    """Fully sampled slices (n, height, width), their 99th percentile 1."""
    found = torch.cat([s.image for s in scans.full(split, where, count, SIZE)])
    return found / found.abs().flatten(1).quantile(0.99, dim=1)[:, None, None].clamp_min(1e-12)


@experiment(54, "3", "Denoisers can be trained from noisy images alone.")
def noise_to_noise(where: Profile) -> Verdict:
    steps, count = {"ci": (20, 8), "cpu": (500, 60), "gpu": (4000, 240)}[where.name]
    training, test = images("train", where, count), images("test", where, 12)
    seen = test + white(test, torch.Generator().manual_seed(99))
    levels: dict[str, list[Tensor]] = {name: [] for name in TARGETS}
    for name, target in TARGETS.items():
        for seed in SEEDS:
            net = denoiser(training, target, steps, seed)
            with torch.no_grad():
                levels[name].append(metrics.psnr(net(seen), test))
    return equal({name: torch.stack(v) for name, v in levels.items()}, metrics.psnr(seen, test))


def equal(psnr: dict[str, Float[Tensor, "seed slice"]], before: Tensor) -> Verdict:
    """PSNR with noisy minus clean targets, slice by slice, a slice counting with its mean over seeds.

    Confirmed when the interval lies inside the margin (two one-sided tests) and the control, whose noise is correlated,
    is worse than it by more than the margin; refuted when the interval lies below the margin.
    """
    effect = bootstrap((psnr["noisy"] - psnr["clean"]).mean(0))
    control = bootstrap((psnr["correlated"] - psnr["clean"]).mean(0))
    outcome: Outcome = "not decided"
    if effect.high < -EQUAL:
        outcome = "refuted"
    elif -EQUAL < effect.low and effect.high < EQUAL and control.high < -EQUAL:
        outcome = "confirmed"
    listed = ", ".join(f"{name} {float(v.mean()):.2f}" for name, v in psnr.items())
    spread = float((psnr["noisy"] - psnr["clean"]).mean(1).std())
    remark = (
        f"Equal steps, white complex noise of {NOISE:.0%}. Targets: {listed} dB; before {float(before.mean()):.2f} dB. "
        f"The control, whose two copies share noise (correlation {SHARED}), minus clean {words(control)} dB. Margin of "
        f"equivalence {EQUAL} dB. Standard deviation between seeds {spread:.2f} dB."
    )
    return Verdict(outcome, effect, "PSNR (dB), noisy minus clean targets", remark)


@experiment(57, "3", "Blind compressed sensing, which learns its dictionary from the scan, beats a fixed transform.")
def blind(where: Profile) -> Verdict:
    validation, test = scans.few("val", where, 3), scans.few("test", where, 12)
    fixed = {name: scans.tuned(name, validation) for name in ("cs_wavelet", "cs_tv")}
    learned, cosines = (dictionary(updates, validation) for updates in (1, 0))
    chosen = max(fixed, key=lambda name: scans.psnr(fixed[name], validation).mean())
    models = {"dictionary": learned, "cosine patches": cosines} | fixed
    levels, seconds = {}, {}
    for name, model in models.items():
        start = time.perf_counter()
        levels[name] = scans.psnr(model, test)
        seconds[name] = (time.perf_counter() - start) / len(test)
    return beats(levels, chosen, seconds)


def dictionary(updates: int, validation: Sequence[Sample]) -> Reconstructor:
    """Dictionary learning, or with no update its fixed cosines, with the tolerance that is best on `validation`."""
    settings = card("dictionary_learning").small | {"updates": updates}
    build = lambda tolerance: card("dictionary_learning").build(**settings, tolerance=tolerance)
    return build(tune(build, validation, TOLERANCES))


def beats(levels: dict[str, Tensor], chosen: str, seconds: dict[str, float]) -> Verdict:
    """PSNR of the learned dictionary minus that of the fixed transform which was best on validation data."""
    effect = bootstrap(levels["dictionary"] - levels[chosen])
    apart = bootstrap(levels["dictionary"] - levels["cosine patches"])
    listed = ", ".join(f"{name} {float(v.mean()):.2f} dB in {seconds[name]:.1f} s" for name, v in levels.items())
    remark = (
        f"Each tuned on other subjects, {chosen} the better fixed transform there. A slice: {listed}. The same patches "
        f"and solver with learned atoms minus with cosines {words(apart)} dB. Random lines, R = 4, all coils."
    )
    return Verdict(decide(effect, VISIBLE), effect, "PSNR (dB), learned dictionary minus fixed transform", remark)
