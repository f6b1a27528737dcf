"""Review, section 3: networks that learn from undersampled scans alone, beside a twin that is told the truth."""

from collections.abc import Callable

import torch
from torch import Tensor

from .. import data
from ..data.sample import Sample
from ..losses import normalised
from ..methods.base import Reconstructor
from ..methods.unsupervised.deep_basis_pursuit import DeepBasisPursuit
from ..methods.unsupervised.ssdu import SSDU
from ..ops import Sense
from ..profiles import Profile
from ..sampling import protocol
from ..scores import bootstrap
from ..solve import noise_norm
from . import scans
from .base import Verdict, decide, experiment
from .domains import trained
from .statistics import words

ALIKE = 0.5  # margin in dB of claim 53; fixed, as all that follows, before anything was measured
VISIBLE = 0.2  # margin in dB of the others
STEPS = {"ci": 12, "cpu": 500, "gpu": 3000}
FEWER = {"ci": 8, "cpu": 250, "gpu": 1500}  # where five or six networks are trained
RHO = 0.1, 0.2, 0.4, 0.6
TIMES = 0.5, 1.0, 2.0


class Supervised(SSDU):
    """The same network and the same loss, on all of k-space of the true image."""

    def loss(self, sample: Sample) -> Tensor:
        everywhere = Sense(torch.ones_like(sample.mask), sample.maps)
        return normalised(everywhere(self(sample.kspace, sample.A)), everywhere(sample.image))


class OnOmega(SSDU):
    """The same network and the same loss, on the very samples that it was given."""

    def loss(self, sample: Sample) -> Tensor:
        return normalised(sample.A(self(sample.kspace, sample.A)), sample.kspace)


def taught(build: Callable[[], Reconstructor], where: Profile, steps: int) -> Reconstructor:
    """Every network starts alike and sees the same slices under the same masks."""
    torch.manual_seed(0)
    return trained(build(), data.slices("train", protocol(4), where.name, training=True, strip=where.strip), steps)


def network(kind: type[SSDU], rho: float = 0.4) -> Callable[[], Reconstructor]:
    return lambda: kind(iterations=4, width=24, blocks=1, rho=rho, focus=0.0, lines=True)


def misfit(model: Reconstructor, samples: list[Sample]) -> float:
    """||A x - y|| over that of the true image."""
    with torch.no_grad():
        ratios = [(s.A(model(s.kspace, s.A)) - s.kspace).norm() / (s.A(s.image) - s.kspace).norm() for s in samples]
    return float(torch.stack(ratios).mean())


@experiment(53, "3", "Learning without a truth does not reach the image quality of learning with one.")
def below_supervised(where: Profile) -> Verdict:
    test, real = scans.few("test", where, 12), scans.few("real", where, 5)
    twins = {kind: taught(network(kind), where, STEPS[where.name]) for kind in (Supervised, SSDU)}
    tv = scans.tuned("cs_tv", scans.few("val", where, 6))
    levels = [scans.psnr(model, test) for model in (twins[Supervised], twins[SSDU], tv)]
    return falls_short(*levels, *(scans.psnr(twins[kind], real) for kind in (Supervised, SSDU)))


def falls_short(told: Tensor, alone: Tensor, tv: Tensor, told_real: Tensor, alone_real: Tensor) -> Verdict:
    """PSNR of the supervised twin minus that of SSDU, slice by slice; alike is within half a decibel."""
    effect = bootstrap(told - alone)
    remark = (
        f"Same network, start, steps, slices and masks, one training each: supervised {float(told.mean()):.2f}, "
        f"self-supervised {float(alone.mean()):.2f}, tuned TV {float(tv.mean()):.2f} dB. "
        f"Real scan: difference {words(bootstrap(told_real - alone_real))} dB. More steps may change it."
    )
    return Verdict(decide(effect, ALIKE), effect, "PSNR (dB), supervised minus self-supervised", remark)


@experiment(55, "3", "Consistency with all measured data over-fits; held-out data (a split) are needed.")
def split_is_needed(where: Profile) -> Verdict:
    test, steps = scans.few("test", where, 12), FEWER[where.name]
    held_out = {rho: taught(network(SSDU, rho), where, steps) for rho in RHO}
    everything = taught(network(OnOmega), where, steps)
    levels = {rho: scans.psnr(model, test) for rho, model in held_out.items()}
    misfits = misfit(everything, test), misfit(held_out[0.4], test)
    with torch.no_grad():
        start = scans.psnr(network(SSDU)(), test)
    return over_fits(levels, scans.psnr(everything, test), start, misfits)


def over_fits(levels: dict[float, Tensor], everything: Tensor, start: Tensor, misfits: tuple[float, float]) -> Verdict:
    """PSNR with the paper's rho minus that with the loss on all of Omega, slice by slice."""
    effect = bootstrap(levels[0.4] - everything)
    listed = ", ".join(f"{rho} {float(values.mean()):.2f}" for rho, values in levels.items())
    remark = (
        f"Untrained {float(start.mean()):.2f} dB, loss on all of Omega {float(everything.mean()):.2f} dB, "
        f"held-out part rho: {listed} dB. Misfit over that of the true image: {misfits[0]:.2f} on all of Omega, "
        f"{misfits[1]:.2f} with rho 0.4; below 1 noise is fitted."
    )
    return Verdict(decide(effect, VISIBLE), effect, "PSNR (dB), loss on a held-out part minus on all data", remark)


@experiment(56, "3", "Deep Basis Pursuit gains from knowing the noise: with a wrong epsilon its images are worse.")
def right_epsilon(where: Profile) -> Verdict:
    test = scans.few("test", where, 12)
    build = lambda times: lambda: DeepBasisPursuit(iterations=3, width=12, times=times)
    models = {times: taught(build(times), where, FEWER[where.name]) for times in TIMES}
    least = DeepBasisPursuit(iterations=1, width=1)
    least.D.forward = torch.zeros_like  # pyright: ignore
    found = [float(noise_norm(s.kspace, s.mask) / (s.A(s.image) - s.kspace).norm()) for s in test]
    levels = {times: scans.psnr(model, test) for times, model in models.items()}
    return noise_is_needed(levels, scans.psnr(least, test), sum(found) / len(found))


def noise_is_needed(levels: dict[float, Tensor], least: Tensor, found: float) -> Verdict:
    """PSNR with the right epsilon minus the better of half and twice, slice by slice."""
    effect = bootstrap(levels[1.0] - torch.maximum(levels[0.5], levels[2.0]))
    listed = ", ".join(f"{times} {float(values.mean()):.2f}" for times, values in levels.items())
    remark = (
        f"Epsilon over the noise, in training and test: {listed} dB. The least-norm image with the right epsilon, no "
        f"network: {float(least.mean()):.2f} dB. The noise was read in the data: {found:.2f} times the true misfit."
    )
    return Verdict(decide(effect, VISIBLE), effect, "PSNR (dB), right epsilon minus the better wrong one", remark)
