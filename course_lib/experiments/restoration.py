"""Review, section 2.1: is the artefact of random lines like noise, and is it easier to learn than the image?"""

from collections.abc import Callable, Sequence
from itertools import islice

import torch
from jaxtyping import Float
from torch import Tensor

from .. import data, metrics
from ..blocks import UNet, as_complex
from ..data.sample import Sample
from ..methods.base import card
from ..profiles import Profile
from ..sampling import Draw, effective_acceleration, kt, uniform
from ..sampling.lines import Seed
from ..scores import bootstrap
from . import scans
from .base import Verdict, decide, experiment
from .statistics import words
from .training import epochs, pairs, taught

VISIBLE = 0.2  # margin in dB, fixed before anything was measured
ACCELERATION, CENTRE = 4, 0.08
SEEDS = (0, 1)  # of the weights; a slice counts with its mean over them


def regular(width: int, seed: Seed) -> Tensor:
    """Every fourth line, from where the seed says, and a full centre."""
    offset = (seed if isinstance(seed, int) else sum(seed)) % ACCELERATION
    return uniform(width, ACCELERATION, round(width * CENTRE), offset)


def irregular(width: int, seed: Seed) -> Tensor:
    """As many lines as `regular` has, the same centre, the rest drawn at random."""
    budget = effective_acceleration(regular(width, seed))
    return kt(width, 1, budget, round(width * CENTRE), power=0.0, seed=seed)[:, :, 0]


MASKS: dict[str, Draw] = {"random": irregular, "regular": regular}


@experiment(15, "2.1", "Non-uniform sampling makes artefacts noise-like, so that a network can remove them.")
def noise_like(where: Profile) -> Verdict:
    steps, count = {"ci": (40, 4), "cpu": (400, 12), "gpu": (2000, 12)}[where.name]
    settings, gains, likeness = card("residual_unet").small, {}, {}
    for name, mask in MASKS.items():
        training = data.slices("train", mask, where.name, training=True, strip=where.strip)
        test = scans.few("test", where, count, mask)
        likeness[name] = torch.stack([peak(s.A.H(s.kspace) - s.image) for s in test])
        before = scans.psnr(card("zero_filled").build(), test)
        gains[name] = torch.stack([_taught(settings, training, steps, seed, test) - before for seed in SEEDS])
    return removed(gains, likeness)


def _taught(settings: dict, training: Sequence[Sample], steps: int, seed: int, test: list[Sample]) -> Tensor:
    torch.manual_seed(seed)
    return scans.psnr(taught(card("residual_unet").build(**settings), training, steps, seed=seed), test)


def removed(gains: dict[str, Float[Tensor, "seed slice"]], likeness: dict[str, Tensor]) -> Verdict:
    """What a network gains over zero-filling (dB), random minus regular lines, slice by slice."""
    effect = bootstrap((gains["random"] - gains["regular"]).mean(0))
    spread = (gains["random"] - gains["regular"]).mean(1).std()
    less = bootstrap(likeness["regular"] - likeness["random"])
    each = "; ".join(f"{name} {words(bootstrap(g.mean(0)))} dB" for name, g in gains.items())
    alike = ", ".join(f"{name} {float(p.mean()):.2f}" for name, p in likeness.items())
    remark = (
        f"Residual U-Net over zero-filling: {each}; standard deviation between seeds {float(spread):.2f} dB. Highest "
        f"autocorrelation of the artefact: {alike}, regular minus random {words(less)}; white noise has about 0. All "
        "coils, a full centre of 8 %, as many lines."
    )
    return Verdict(decide(effect, VISIBLE), effect, "PSNR (dB) gained over zero-filling, random minus regular", remark)


def peak(e: Tensor) -> Tensor:
    """Largest autocorrelation of an artefact (1, height, width) along rows, an eighth of the image away or more."""
    a = torch.fft.ifft2(torch.fft.fft2(e).abs().square()).abs()[0, 0]
    far = e.shape[-1] // 8
    return a[far:-far].max() / a[0]


@experiment(16, "2.1", "Learning the residual (the artefact) is better than learning the corrected image.")
def residual_learning(where: Profile) -> Verdict:
    few, many, steps = {"ci": (3, 12, 30), "cpu": (20, 200, 300), "gpu": (20, 200, 1000)}[where.name]
    width = {"ci": 4, "cpu": 8, "gpu": 16}[where.name]
    found = []
    for mask in MASKS.values():
        test = pairs("test", where, 12, mask=mask)
        sets = [pairs("train", where, count, where.strip, mask) for count in (few, many)]
        found.append(torch.stack([torch.stack([race(*s, *test, steps, width, i) for i in SEEDS]) for s in sets]))
    return better(torch.stack(found), (few, many), steps)


def race(x: Tensor, truth: Tensor, test: Tensor, test_truth: Tensor, steps: int, width: int, seed: int) -> Tensor:
    """PSNR (target, slice) on the test images of the same U-Net after as many steps: image, artefact."""
    targets: list[Callable[[Tensor, Tensor], Tensor]] = [lambda net, x: net, lambda net, x: x - net]
    found = []
    for of in targets:
        torch.manual_seed(seed)
        net = UNet(width=width, depth=3)
        list(islice(epochs(net, x, of(truth, x), lr=2e-3, seed=seed), max(1, 2 * steps // len(x))))
        with torch.no_grad():
            found.append(torch.cat([_psnr(of(net(a[None]), a[None]), b[None]) for a, b in zip(test, test_truth)]))
    return torch.stack(found)


def _psnr(x: Tensor, ref: Tensor) -> Tensor:
    return metrics.psnr(as_complex(x), as_complex(ref))


def better(psnr: Float[Tensor, "mask count seed target slice"], counts: tuple[int, int], steps: int) -> Verdict:
    """PSNR of the residual network minus the direct one's, slice by slice, over masks, training sets and seeds."""
    gain = psnr[..., 1, :] - psnr[..., 0, :]
    effect = bootstrap(gain.mean((0, 1, 2)))
    masks = [words(bootstrap(g.mean((0, 1)))) for g in gain]
    sizes = [words(bootstrap(gain[:, i].mean((0, 1)))) for i in (0, 1)]
    interaction = bootstrap((gain[0] - gain[1]).mean((0, 1)))
    remark = (
        f"After {steps} steps of two slices each. Random lines {masks[0]}, regular lines {masks[1]}, random minus "
        f"regular {words(interaction)}; {counts[0]} training slices {sizes[0]}, {counts[1]}: {sizes[1]}. Standard "
        f"deviation between seeds {float(gain.mean(-1).std(2).mean()):.2f} dB. Whether it is because the artefact is "
        "simpler is another question: the residual network also starts nearer to the image."
    )
    return Verdict(decide(effect, VISIBLE), effect, "PSNR (dB), artefact minus image as target", remark)
