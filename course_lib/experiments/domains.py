"""Review, section 2.4: are networks in k-space and in the image different, and does it pay to have both?"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from .. import data
from ..blocks import OnCoils, OnComplex, cnn, keep
from ..data.dataset import Slice
from ..data.sample import Sample
from ..methods.base import Reconstructor, cartesian, combine
from ..muon import Muon
from ..ops import Coils, Fourier, fft2c
from ..ops.linear import LinearOperator
from ..profiles import Profile
from ..sampling import protocol
from ..scores import bootstrap
from ..shapes import Image, KSpace
from ..train import schedule
from . import scans
from .base import Verdict, decide, experiment
from .statistics import words

VISIBLE = 0.2  # margin in dB; fixed, as all that follows, before anything was measured
SIZE = 64, 64  # the centre of k-space: networks in k-space need whole slices
DEPTH, WIDTH = 4, 20  # of each of the four networks of an image chain; the others' widths give as many parameters
RINGS = 4
STEPS = {"ci": 20, "cpu": 300, "gpu": 2000}
ALONE, BOTH = ("IIII", "KKKK"), ("KIKI", "IKIK", "KKII", "IIKK")


class Chain(Reconstructor):
    """Networks on k-space (all coils as channels) or on the image, one after the other, each adding to its input.

    domains: an iterable such as "KIKI". With `consistent` the data are put back after each network.
    """

    def __init__(self, domains: Sequence[str], coils: int, consistent: bool, size: int):
        super().__init__()
        self.domains, self.consistent = domains, consistent
        width = fitting(domains, coils, size)
        kinds = {"K": lambda: OnCoils(cnn(width, DEPTH, 2 * coils), coils), "I": lambda: OnComplex(cnn(width, DEPTH))}
        self.nets = nn.ModuleList(kinds[domain]() for domain in domains)

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        k, FS = y, Fourier() @ Coils(cartesian(A).maps)
        for domain, net in zip(self.domains, self.nets):
            if domain == "K":
                k = k + net(k)
            else:
                x = FS.H(k)
                k = k + FS(net(x))
            if self.consistent:
                k = keep(FS(FS.H(k)), y, cartesian(A).mask)
        return combine(k, A)


def parameters(domains: Sequence[str], coils: int, width: int) -> int:
    """Of all networks of a chain: DEPTH convolutions of 3x3 each, with biases."""
    widths = {d: [n, *[width] * (DEPTH - 1), n] for d, n in (("K", 2 * coils), ("I", 2))}
    return sum(9 * a * b + b for domain in domains for a, b in pairwise(widths[domain]))


def fitting(domains: Sequence[str], coils: int, size: int) -> int:
    """The width with which a chain comes closest to `size` parameters."""
    return min(range(2, 200), key=lambda width: abs(parameters(domains, coils, width) - size))


class Drawn(Sequence[Sample]):
    """Slices, each undersampled anew at every access when training; as one coil would see them, if asked for."""

    def __init__(self, slices: Sequence[Slice], single: bool = False, training: bool = False):
        self.slices, self.single, self.training, self.reads = slices, single, training, 0

    def __len__(self) -> int:
        return len(self.slices)

    def __getitem__(self, index: int) -> Sample:
        if index >= len(self.slices):
            raise IndexError(index)
        self.reads += self.training
        whole = self.slices[index]
        mask = protocol(4)(whole.kspace.shape[-1], (index, self.reads))
        if self.single:
            return scans.one_coil(whole, mask.reshape(1, 1, 1, -1), seed=index)
        return data.undersample(whole.kspace, whole.maps, mask.reshape(1, 1, 1, -1), whole.image)


def trained(model: Reconstructor, samples: Sequence[Sample], steps: int) -> Reconstructor:
    """So many steps of one slice, whatever the machine's load; the same slices and masks for every model."""
    optimiser = Muon(model)
    order = torch.Generator().manual_seed(0)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = schedule((step + 1) / steps) * group["peak"]
        optimiser.zero_grad()
        model.loss(samples[int(torch.randint(len(samples), (), generator=order))]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return model


def chain(domains: str, where: Profile, slices: Sequence[Slice], coils: int, consistent: bool = True) -> Reconstructor:
    """A trained chain; every one has the parameters of "IIII", and sees the same data."""
    torch.manual_seed(0)
    model = Chain(domains, coils, consistent, parameters("IIII", coils, WIDTH))
    return trained(model, Drawn(slices, coils == 1, training=True), STEPS[where.name])


def to_train_on(where: Profile) -> list[Slice]:
    return scans.full("train", where, {"ci": 8, "cpu": 48, "gpu": 240}[where.name], SIZE)


@experiment(37, "2.4", "Networks in k-space and in the image differ, and both together beat each alone.")
def together(where: Profile) -> Verdict:
    test = Drawn(scans.full("test", where, 12, SIZE))
    coils = test[0].maps.shape[1]
    validation = list(Drawn(scans.full("val", where, 6, SIZE)))
    slices = to_train_on(where)
    chains = {name: chain(name, where, slices, coils) for name in ALONE + BOTH}
    chosen = max(BOTH, key=lambda name: scans.psnr(chains[name], validation).mean())
    open_ended = {name: chain(name, where, slices, coils, consistent=False) for name in (*ALONE, chosen)}
    levels = {name: scans.psnr(model, list(test)) for name, model in chains.items()}
    without = {name: scans.psnr(model, list(test)) for name, model in open_ended.items()}
    spectra = {name: spectrum(chains[name], list(test)) for name in (*ALONE, chosen)}
    return both_beat_each(levels, chosen, without, spectra)


def both_beat_each(
    levels: dict[str, Tensor], chosen: str, without: dict[str, Tensor], spectra: dict[str, Tensor]
) -> Verdict:
    """PSNR of the combination chosen on validation data minus the better of the two alone, slice by slice."""
    effect = bootstrap(levels[chosen] - torch.stack([levels[name] for name in ALONE]).amax(0))
    apart = bootstrap(without[chosen] - torch.stack([without[name] for name in ALONE]).amax(0))
    listed = ", ".join(f"{name} {float(values.mean()):.2f}" for name, values in levels.items())
    open_ended = ", ".join(f"{name} {float(values.mean()):.2f}" for name, values in without.items())
    rings = "; ".join(f"{name} " + " ".join(f"{v:.2f}" for v in values.tolist()) for name, values in spectra.items())
    remark = (
        f"Equal parameters and steps, one training each; data put back after each network: {listed} dB, "
        f"{chosen} chosen on other subjects. Data never put back: {open_ended} dB, difference {words(apart)}. "
        f"Relative error in rings of k-space from the centre outwards: {rings}."
    )
    measure = "PSNR (dB), networks in both domains minus the better single domain"
    return Verdict(decide(effect, VISIBLE), effect, measure, remark)


def spectrum(model: Reconstructor, samples: Sequence[Sample]) -> Tensor:
    """Norm of the error over the norm of the truth in RINGS rings of k-space, over all samples."""
    error, energy = torch.zeros(RINGS), torch.zeros(RINGS)
    for sample in samples:
        with torch.no_grad():
            x = model(sample.kspace, sample.A)
        u, v = ((torch.arange(n) - n // 2) / n for n in x.shape[-2:])
        ring = (2 * RINGS * (u[:, None] ** 2 + v**2).sqrt()).long().flatten()
        for total, part in ((error, x - sample.image), (energy, sample.image)):
            found = fft2c(part).abs().square()[0].flatten()
            total += torch.zeros(2 * RINGS).index_add(0, ring, found)[:RINGS]
    return (error / energy).sqrt()


@experiment(38, "2.4", "Working in both domains pays most with many coils.")
def with_many_coils(where: Profile) -> Verdict:
    slices, unseen, levels = to_train_on(where), scans.full("test", where, 12, SIZE), {}
    for coils in (1, unseen[0].maps.shape[1]):
        test = list(Drawn(unseen, single=coils == 1))
        levels[coils] = {name: scans.psnr(chain(name, where, slices, coils), test) for name in ("IIII", "KIKI")}
    return pays_more(*levels.values())


def pays_more(single: dict[str, Tensor], many: dict[str, Tensor]) -> Verdict:
    """The interaction: what KIKI gains over IIII with many coils, minus what it gains with one, slice by slice."""
    gains = [both["KIKI"] - both["IIII"] for both in (single, many)]
    effect = bootstrap(gains[1] - gains[0])
    levels = [", ".join(f"{name} {float(v.mean()):.2f}" for name, v in both.items()) for both in (single, many)]
    remark = (
        f"One coil: {levels[0]} dB, gain {words(bootstrap(gains[0]))}; many: {levels[1]} dB, gain "
        f"{words(bootstrap(gains[1]))}. Equal parameters and steps, one training each; "
        "with one coil the noise is set to 2 % of the image."
    )
    measure = "PSNR (dB) gained by both domains, many coils minus one"
    return Verdict(decide(effect, VISIBLE), effect, measure, remark)
