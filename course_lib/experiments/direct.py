"""Review, section 2.3: what does it cost to learn the transform, is it found, and does it help with a wrong model?"""

import time
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from .. import data, metrics
from ..blocks import OnComplex, inverse_fourier
from ..data.pairs import coil_images, varied
from ..data.sample import Sample, shifted, undersample, unshifted
from ..evaluate import evaluate
from ..methods.base import Reconstructor, card
from ..methods.direct.automap import AUTOMAP
from ..methods.direct.dautomap import DAUTOMAP
from ..muon import Muon
from ..ops import fft2c
from ..profiles import Profile
from ..sampling import random
from ..scores import Interval, bootstrap
from ..shapes import Image
from ..train import schedule
from .base import Verdict, decide, experiment
from .statistics import words

SLOPE = 0.01  # a slope this close to 2 or 1 is exact: biases bend the first one less than that from n = 16 on
SIZES = [16, 24, 32, 48, 64]
FOUND = 0.1  # the transform is found when less than this relative distance from the true one is left
SEEN, UNSEEN = (0.1, 0.2, 0.3), (0.45, 0.6)  # delays in samples; training draws from 0 to 0.3
BETTER = 0.5  # dB
NOISE = 0.01  # of the image's largest magnitude


@experiment(34, "2.3", "AUTOMAP's parameters grow with the square of the pixels, dAUTOMAP's with the pixels.")
def growth(where: Profile) -> Verdict:
    seconds, sizes = {"ci": (1.0, [16]), "cpu": (15.0, [16, 24, 32]), "gpu": (30.0, [16, 24, 32])}[where.name]
    counts = {name: [learned(name, n) for n in SIZES] for name in ("automap", "dautomap")}
    return exact(counts, SIZES, "; ".join(raced(where, n, seconds) for n in sizes))


def learned(name: str, n: int) -> int:
    """Parameters of the transform that is learned: the connected layers of one part, or both separable transforms."""
    with torch.device("meta"):
        part = AUTOMAP(size=(n, n)).real.h if name == "automap" else DAUTOMAP(size=(n, n)).transforms
    return sum(p.numel() for p in part.parameters())


def exact(counts: dict[str, list[int]], sizes: Sequence[int], beside: str) -> Verdict:
    """SLOPE minus the larger departure of the log-log slopes from 2 and 1; the interval holds all pairs of sizes."""
    logs = {name: torch.tensor(values, dtype=torch.float64).log().diff() for name, values in counts.items()}
    pixels = torch.tensor(sizes, dtype=torch.float64).log().diff() * 2
    slopes = {name: values / pixels for name, values in logs.items()}
    rest = SLOPE - torch.maximum((slopes["automap"] - 2).abs(), (slopes["dautomap"] - 1).abs())
    effect = Interval(rest.mean().item(), rest.min().item(), rest.max().item())
    steep = ", ".join(f"{name} {float(s.min()):.5f} to {float(s.max()):.5f}" for name, s in slopes.items())
    remark = f"Slopes of what is learned, convolutions apart: {steep}. Trained: {beside}."
    return Verdict(decide(effect), effect, f"{SLOPE:g} minus the departure of the slopes from 2 and 1", remark)


def raced(where: Profile, n: int, seconds: float) -> str:
    """PSNR and time a step of both networks at n x n, trained equally long at a third of the lines."""
    mask = random(n, 3, 0.16, seed=3)
    train, test = (data.slices(s, lambda w, s: mask, where.name, coils=1, size=(n, n)) for s in ("train", "test"))
    images = coil_images([train[i] for i in range(len(train))])
    words_of = [f"zero-filled {evaluate(card('zero_filled').build(), test).mean('psnr'):.1f} dB"]
    for name, batch in (("automap", 16), ("dautomap", 8)):
        torch.manual_seed(0)
        model = card(name).build(size=(n, n), width=16)
        steps = trained(model, forever(data.Pairs(images, mask, batch)), seconds)
        count = sum(p.numel() for p in model.parameters())
        psnr = evaluate(model, test).mean("psnr")
        words_of.append(f"{name} {psnr:.1f} dB ({count:,} parameters, {1e3 * seconds / steps:.0f} ms a step)")
    return f"{n} x {n} " + ", ".join(words_of)


def forever(batches: data.Pairs) -> Iterator[Sample]:
    while True:
        yield batches[0]


def trained(model: Reconstructor, batches: Iterator[Sample], seconds: float) -> int:
    """Train for so long; returns the steps. RMSprop for what has a matrix too large for Muon, as in the paper."""
    large = max(p.numel() for p in model.parameters()) > 2**18
    optimiser = torch.optim.RMSprop(model.parameters(), lr=3e-4) if large else Muon(model, 3e-2)
    peaks = [group["lr"] for group in optimiser.param_groups]
    start, steps = time.monotonic(), 0
    while (spent := time.monotonic() - start) < seconds or steps < 2:
        for group, peak in zip(optimiser.param_groups, peaks):
            group["lr"] = peak * schedule(spent / seconds)
        loss = model.loss(next(batches))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        steps += 1
    return steps


@experiment(36, "2.3", "A learned transform finds the inverse Fourier transform.")
def transform(where: Profile) -> Verdict:
    n, seconds, seeds = {"ci": (8, 1.0, 3), "cpu": (16, 15.0, 4), "gpu": (32, 30.0, 4)}[where.name]
    full = torch.ones(1, 1, 1, n)
    slices = data.slices("train", lambda w, s: full, where.name, coils=1, size=(n, n))
    heads = coil_images([slices[i] for i in range(len(slices))])
    white = torch.randn(256, n, n, dtype=torch.complex64, generator=torch.Generator().manual_seed(1))
    left = [[remaining(images, full, seconds, seed) for seed in range(seeds)] for images in (heads, white)]
    return found(torch.tensor(left[0]), torch.tensor(left[1]), seconds)


def remaining(images: Image, full: Tensor, seconds: float, seed: int) -> float:
    """Relative distance to the inverse transform of dAUTOMAP without tanh and convolutions, trained on `images`."""
    torch.manual_seed(seed)
    size = (images.shape[-2], images.shape[-1])
    model = DAUTOMAP(size=size, act=nn.Identity)
    model.refine = OnComplex(nn.Identity())
    trained(model, forever(data.Pairs(images, full, 8, seed=seed)), seconds)
    unit = torch.eye(size[0] * size[1], dtype=torch.complex64)
    first, second = model.transforms
    with torch.no_grad():
        one, i = (second(first(u.reshape(-1, *size))).flatten(1) for u in (unit, 1j * unit))
    return distance(one, i, torch.kron(inverse_fourier(size[0]), inverse_fourier(size[1])).mT)


def distance(one: Tensor, i: Tensor, F: Tensor) -> float:
    """Least ||W - s F|| / ||W|| over complex s, W known by its answers to 1 and to i at each place (a row each)."""
    linear, antilinear = (one - 1j * i) / 2, (one + 1j * i) / 2
    s = torch.vdot(F.flatten(), linear.flatten()) / F.abs().square().sum()
    error, whole = (p.abs().square().sum() + antilinear.abs().square().sum() for p in (linear - s * F, linear))
    return float((error / whole).sqrt())


def found(heads: Tensor, white: Tensor, seconds: float) -> Verdict:
    """FOUND minus what remains after training on heads, seed by seed; white noise as images is the remark."""
    effect, noise = bootstrap(FOUND - heads), bootstrap(white)
    remark = (
        f"Distance left after {seconds:g} s of training on heads {words(bootstrap(heads), 3)}; on white noise, which "
        f"has signal in all of k-space, {words(noise, 3)}; 1 is a random transform. A seed is one start of the weights."
    )
    return Verdict(decide(effect), effect, f"{FOUND:g} minus the relative distance to the inverse transform", remark)


@experiment(33, "2.3", "Direct mapping mitigates errors of the scanner, such as late gradients.")
def late_gradients(where: Profile) -> Verdict:
    n, seconds = {"ci": (16, 2.0), "cpu": (32, 60.0), "gpu": (32, 120.0)}[where.name]
    full = torch.ones(1, 1, 1, n)
    train, test = (data.slices(s, lambda w, s: full, where.name, coils=1, size=(n, n)) for s in ("train", "test"))
    images, unseen = (coil_images([d[i] for i in range(len(d))]) for d in (train, test))
    models = {"dAUTOMAP": card("dautomap").build(size=(n, n), width=16), "U-Net": card("unet").build(width=16, depth=2)}
    for model in models.values():
        torch.manual_seed(0)
        trained(model, delays(images), seconds)
    return mitigated({d: compared(models, unseen, d) for d in (0.0, *SEEN, *UNSEEN)})


def delayed(k: Tensor, d: Tensor | float) -> Tensor:
    """k-space (batch, coil, height, width) whose columns were read `d` samples late and early, by turns."""
    height, width = k.shape[-2:]
    row = (torch.arange(height) - height // 2)[:, None] / height
    turn = 1 - 2 * (torch.arange(width) % 2)
    image = shifted(torch.fft.ifft(unshifted(k, -2), dim=-2), -2)
    return shifted(torch.fft.fft(unshifted(image * torch.exp(2j * torch.pi * d * turn * row), -2), dim=-2), -2)


def scanned(images: Image, d: Tensor | float, rng: torch.Generator) -> Sample:
    """Fully sampled, delayed, noisy."""
    k = fft2c(images)[:, None]
    noise = NOISE * float(images.abs().max()) * torch.randn(k.shape, dtype=k.dtype, generator=rng)
    return undersample(delayed(k, d) + noise, torch.ones_like(k), torch.ones(1, 1, 1, k.shape[-1]), images)


def delays(images: Image, batch: int = 8) -> Iterator[Sample]:
    rng = torch.Generator().manual_seed(0)
    while True:
        d = SEEN[-1] * torch.rand(batch, 1, 1, 1, generator=rng)
        yield scanned(varied(images, batch, rng), d, rng)


def compared(models: dict[str, Reconstructor], images: Image, d: float) -> dict[str, Tensor]:
    """PSNR of every slice by each network, and by the inverse transform: as it is, with the mean or the true delay."""
    sample = scanned(images, d, torch.Generator().manual_seed(1))
    shifts = {"IFFT": 0.0, "mean delay known": SEEN[-1] / 2, "delay known": d}
    with torch.no_grad():
        found = {name: model(sample.kspace, sample.A) for name, model in models.items()}
    found |= {name: sample.A.H(delayed(sample.kspace, -by)) for name, by in shifts.items()}
    return {name: metrics.psnr(x, sample.image) for name, x in found.items()}


def mitigated(psnr: dict[float, dict[str, Tensor]]) -> Verdict:
    """PSNR of dAUTOMAP minus that of the inverse transform, slice by slice, the mean over the delays of training."""
    gain = {d: rows["dAUTOMAP"] - rows["IFFT"] for d, rows in psnr.items()}
    effect = bootstrap(torch.stack([gain[d] for d in SEEN]).mean(0))
    unseen = bootstrap(torch.stack([gain[d] for d in UNSEEN]).mean(0))
    said = "; ".join(
        f"delay {d:g}: " + ", ".join(f"{name} {float(values.mean()):.1f}" for name, values in rows.items())
        for d, rows in psnr.items()
    )
    remark = (
        f"PSNR (dB) at each delay, in samples (training: 0 to {SEEN[-1]:g}): {said}. "
        f"At unseen delays the gain is {words(unseen)}; without a delay {words(bootstrap(gain[0.0]))}. "
        "The U-Net works on the inverse transform's image: it asks whether the mapping must be direct."
    )
    return Verdict(decide(effect, BETTER), effect, "PSNR (dB) with late gradients, dAUTOMAP minus inverse FFT", remark)
