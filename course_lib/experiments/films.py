"""Review, sections 2.1 and 5: does time help, can flow be de-aliased, and do complex networks keep the phase?

On phantoms of known truth (data/moving.py), one coil, random lines; networks of equal size train for equal seconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .. import clinical
from ..blocks import OnComplex, UNet, complex_net, two_channel
from ..data import cine, moving
from ..data.sample import Sample
from ..evaluate import evaluate, tune
from ..losses import l1
from ..methods.base import Reconstructor, card
from ..methods.restore.phase_contrast import PhaseContrast
from ..ops.linear import LinearOperator
from ..profiles import Profile
from ..scores import bootstrap
from ..shapes import Image, KSpace
from ..train import fit
from .base import Verdict, decide, experiment
from .statistics import words

VISIBLE = 0.2  # margin in dB
SLOWER = 0.5  # margin: half a percent of venc
RELATIVE = 5.0  # margin: five percent more phase error
RATES = (2, 3, 5)
LAMBDAS = [0.001, 0.002, 0.004, 0.008, 0.016, 0.032]
FRAMES = 8
Errors = Float[Tensor, "rate phantom"]


class Residual(Reconstructor):
    """x <- x - f(x) with any network f on films: what the three ways to see time have in common."""

    def __init__(self, f: Callable[[Image], Image]):
        super().__init__()
        self.f = f

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        x = A.H(y)
        return x - self.f(x)

    def loss(self, sample: Sample) -> Tensor:
        return l1(self(sample.kspace, sample.A), sample.image)


class EachFrame(nn.Module):
    """A network for one complex image, used on every frame of a film on its own."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Image) -> Image:
        return self.net(x.flatten(0, 1).unsqueeze(1)).squeeze(1).unflatten(0, x.shape[:2])


WAYS = {  # of almost equal size
    "2-D": lambda: EachFrame(two_channel(10, 2, images=1)),
    "time in channels": lambda: two_channel(10, 2, images=FRAMES),
    "3-D": lambda: OnComplex(UNet(6, 2, dims=3).silent()),
}


@experiment(18, "2.1", "Time helps: in the channels of a 2-D network, or as the third axis of a 3-D one.")
def time_helps(where: Profile) -> Verdict:
    seconds, films, count = {"ci": (2.0, 6, 4), "cpu": (45.0, 36, 12), "gpu": (60.0, 96, 24)}[where.name]
    make = lambda first, n: [cine.lines(moving.heart(i).film, 4, i, coils=1) for i in range(first, first + n)]
    training, validation, test = make(1000, films), make(2000, 3), make(3000, count)
    models = {name: trained(Residual, f, training, validation, seconds) for name, f in WAYS.items()}
    psnr = {name: evaluate(m, test).values["psnr"] for name, m in models.items()}
    mean = {name: evaluate(m, validation).mean("psnr") for name, m in models.items()}
    sizes = {name: sum(p.numel() for p in m.parameters()) for name, m in models.items()}
    return better_with_time(psnr, mean, sizes)


def better_with_time(psnr: dict[str, Tensor], mean: dict[str, float], sizes: dict[str, int]) -> Verdict:
    """PSNR of the way with time that is best on validation (`mean`), minus that of 2-D, film by film."""
    chosen = max((name for name in psnr if name != "2-D"), key=lambda name: mean[name])
    effect = bootstrap(psnr[chosen] - psnr["2-D"])
    each = "; ".join(f"{name} {float(v.mean()):.2f} dB, {sizes[name]:,} parameters" for name, v in psnr.items())
    remark = (
        f"R = 4, one coil, equal seconds. {each}. Chosen on validation: {chosen}. A network without data, a phantom."
    )
    return Verdict(decide(effect, VISIBLE), effect, "PSNR (dB), with time minus frame by frame", remark)


@dataclass(frozen=True)
class Flow:
    """What a method made of the test phantoms: velocity error in % of venc, net flow of each vessel in mL/s."""

    errors: Errors
    passed: Float[Tensor, "rate vessel"]


@experiment(19, "2.1", "Phase contrast can be de-aliased on complex images.")
def de_aliased(where: Profile) -> Verdict:
    seconds, films, count = {"ci": (2.0, 6, 3), "cpu": (55.0, 48, 9), "gpu": (90.0, 96, 18)}[where.name]
    training, validation = scanned(1000, films), scanned(2000, 3)
    phantoms = [moving.vessels(3000 + i, frames=FRAMES // 2) for i in range(count)]
    builds = {"two channels": lambda: two_channel(10, 2), "complex": lambda: complex_net(7, 2)}
    nets = {name: trained(contrast, f, training, validation, seconds) for name, f in builds.items()}
    chosen = max(nets, key=lambda name: evaluate(nets[name], validation).mean("psnr"))
    tv = lambda lam: card("cs_tv").build(lam=lam, iterations=40)
    rivals = {"zero-filled": card("zero_filled").build(), "TV": tv(tune(tv, validation, LAMBDAS))}
    found = {name: flows(m, phantoms) for name, m in {**rivals, **nets}.items()}
    truth = torch.cat([v.flow.mean(-1) for v in phantoms])
    still = torch.stack(
        [clinical.velocity_error(v.film.abs() + 0j, v.velocity, v.part.sum(0), v.venc) for v in phantoms]
    )
    return faster_than_aliased(found, chosen, truth, 100 * float(still.mean()) / moving.VENC)


def faster_than_aliased(found: dict[str, Flow], chosen: str, truth: Tensor, magnitude: float) -> Verdict:
    """Velocity error of zero-filling minus that of the chosen network, mean over R, phantom by phantom.

    truth: net flow of each vessel; magnitude: the error (% of venc) of true magnitudes without phase.
    """
    net = found[chosen]
    effect = bootstrap((found["zero-filled"].errors - net.errors).mean(0))
    over = bootstrap((found["TV"].errors - net.errors).mean(0))
    grows = "; ".join(f"{name} {', '.join(f'{e:.1f}' for e in flow.errors.mean(1))}" for name, flow in found.items())
    flow = "; ".join(f"{name} {clinical.bland_altman(f.passed[-1], truth)}" for name, f in found.items())
    remark = (
        f"Network chosen on validation: {chosen}. Error in % of venc at R = {RATES}: {grows}; true magnitudes alone "
        f"{magnitude:.1f}. Tuned TV minus network {words(over)}. Net flow at R = {RATES[-1]} (mL/s): {flow}."
    )
    measure = "velocity error (% of venc), zero-filled minus network"
    return Verdict(decide(effect, SLOWER), effect, measure, remark)


@experiment(67, "5", "Two-channel networks do not necessarily keep the phase; complex ones do better.")
def phase_kept(where: Profile) -> Verdict:
    seconds, films, seeds, count = {"ci": (2.0, 6, 1, 4), "cpu": (35.0, 36, 2, 9), "gpu": (60.0, 96, 3, 18)}[where.name]
    training, validation, test = (
        scanned(first, n, flat=False) for first, n in ((1000, films), (2000, 3), (3000, count))
    )
    builds = {"two channels": lambda: two_channel(10, 2), "complex": lambda: complex_net(7, 2)}
    errors, turned, psnr, sizes = {}, {}, {}, {}
    for name, f in builds.items():
        models = [trained(contrast, f, training, validation, seconds, seed) for seed in range(seeds)]
        errors[name] = torch.stack([torch.stack([phase_error(m, s) for s in test]) for m in models])
        turned[name] = sum(unturned(m, s) for m in models for s in test) / len(models) / len(test)
        psnr[name] = sum(evaluate(m, test).mean("psnr") for m in models) / len(models)
        sizes[name] = sum(p.numel() for p in models[0].parameters())
    return keeps_better(errors, turned, psnr, sizes)


def keeps_better(
    errors: dict[str, Float[Tensor, "seed phantom"]],
    turned: dict[str, float],
    psnr: dict[str, float],
    sizes: dict[str, int],
) -> Verdict:
    """Phase error of two channels over that of the complex network, in percent, mean over seeds, phantom by phantom."""
    two, one = (errors[name].double() for name in ("two channels", "complex"))
    effect = bootstrap(100 * (two.mean(0) / one.mean(0) - 1))
    each = "; ".join(
        f"{name}: {float(e.mean()):.3f} rad (sd over seeds {float(e.mean(1).std(correction=0)):.3f}), "
        f"PSNR {psnr[name]:.2f} dB, "
        f"f(turned) differs from turned f by {100 * turned[name]:.2g} %, {sizes[name]:,} parameters"
        for name, e in errors.items()
    )
    remark = f"R = 2, 3, 5, one coil, equal seconds; a step of the complex network costs about twice as much. {each}."
    return Verdict(decide(effect, RELATIVE), effect, "phase error (%), two channels over complex", remark)


def contrast(f: nn.Module) -> PhaseContrast:
    return PhaseContrast(net=lambda width, depth: f)


def trained(method, f, training: Sequence[Sample], validation: Sequence[Sample], seconds: float, seed: int = 0):
    """`method` around a new network f(), its weights from the seed."""
    torch.manual_seed(seed)
    model = method(f())
    fit(model, training, validation, seconds, checks=3, seed=seed, progress=False)
    return model


def scanned(first: int, count: int, flat: bool = True) -> list[Sample]:
    """Phase-contrast scans of the phantoms first, first + 1, ...; R = 2, 3, 5 in turn."""
    films = (moving.vessels(first + i, frames=FRAMES // 2).film for i in range(count))
    return [cine.lines(film, RATES[i % 3], first + i, coils=1, flat=flat) for i, film in enumerate(films)]


def flows(model: Reconstructor, phantoms: Sequence[moving.Vessels]) -> Flow:
    """Each phantom at each R."""
    errors, passed = [], []
    for R in RATES:
        for i, v in enumerate(phantoms):
            s = cine.lines(v.film, R, 3000 + i, coils=1)
            with torch.no_grad():
                x = model(s.kspace, s.A)
            errors.append(100 / v.venc * clinical.velocity_error(x, v.velocity, v.part.sum(0), v.venc))
            speed = clinical.velocity(x, v.venc)[0]
            passed.append(torch.stack([clinical.flow(speed, part, v.pixel).mean() for part in v.part]))
    return Flow(torch.cat(errors).reshape(len(RATES), -1), torch.stack(passed).reshape(len(RATES), -1))


@torch.no_grad()
def phase_error(model: Reconstructor, s: Sample) -> Tensor:
    """Root mean square of the phase between reconstruction and truth, in rad, where there is tissue."""
    inside = s.image.abs() > 0.15 * s.image.abs().amax()
    return (model(s.kspace, s.A) * s.image.conj())[inside].angle().square().mean().sqrt()


@torch.no_grad()
def unturned(model: Reconstructor, s: Sample) -> float:
    """How far f(i y) is from i f(y), relative."""
    x = model(s.kspace, s.A)
    return float((model(1j * s.kspace, s.A) - 1j * x).norm() / x.norm())
