"""Review, section 1.1: compressed sensing needs sparsity and incoherent aliasing."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from .. import data
from ..data.dataset import Slice
from ..data.sample import Sample
from ..evaluate import head
from ..methods.base import card
from ..ops import FiniteDifference, Wavelet
from ..profiles import Profile
from ..sampling import effective_acceleration, equispaced, golden_angle, kt, poisson, psf
from ..scores import bootstrap
from . import scans
from .base import Verdict, decide, experiment
from .statistics import gini, largest, spearman, words

SPARSER = 0.05  # margin in the Gini index
VISIBLE = 0.2  # margin in dB
ACCELERATION, CENTRE = 4, 0.08
Rule = Callable[[int, int], Tensor]  # (width, seed) -> mask


@experiment(3, "1.1", "Images are not sparse, but their wavelet coefficients are.")
def sparse_transforms(where: Profile) -> Verdict:
    count = {"ci": 4, "cpu": 12, "gpu": 12}[where.name]
    slices = scans.full("test", where, count) + scans.full("val", where, count)
    verdict = sparser([s.image for s in slices])
    return replace(verdict, remark=f"{verdict.remark} {needed(slices, scans.full('val', where, 3))}")


def sparser(images: Sequence[Tensor]) -> Verdict:
    """Gini index of the wavelet coefficients minus that of the pixels, image by image (1, height, width)."""
    W = Wavelet()
    effect = bootstrap(torch.tensor([gini(W(x)) - gini(x) for x in images]))
    variation = bootstrap(torch.tensor([gini(differences(x)) - gini(x) for x in images]))
    inside = bootstrap(torch.tensor([gini(W(centre(x))) - gini(centre(x)) for x in images]))
    energy = [sum(largest(f(x)) for x in images) / len(images) for f in (lambda x: x, differences, W)]
    remark = (
        f"Energy in the largest 10 %: pixels {energy[0]:.3f}, differences {energy[1]:.3f}, wavelets {energy[2]:.3f}. "
        f"Differences minus pixels {words(variation)}; wavelets inside the head alone {words(inside)}."
    )
    return Verdict(decide(effect, SPARSER), effect, "Gini index, wavelets minus pixels", remark)


def differences(x: Tensor) -> Tensor:
    """Length of the gradient at each pixel."""
    return FiniteDifference()(x).abs().square().sum(1).sqrt()


def centre(x: Tensor) -> Tensor:
    """The middle half along both axes: no air."""
    return x[..., x.shape[-2] // 4 : -x.shape[-2] // 4, x.shape[-1] // 4 : -x.shape[-1] // 4]


def needed(slices: Sequence[Slice], validation: Sequence[Slice]) -> str:
    """Does compressed sensing gain less where the wavelets are less sparse? The control has its pixels shuffled."""
    height, width = slices[0].kspace.shape[-2:]
    mask = poisson((height, width), ACCELERATION, calibration=8)
    method = scans.tuned("cs_wavelet", [scans.one_coil(s, mask) for s in validation])
    gains = []
    for group in (slices, [shuffled(s, seed) for seed, s in enumerate(slices)]):
        samples = [scans.one_coil(s, mask) for s in group]
        gains.append(scans.psnr(method, samples) - scans.psnr(card("zero_filled").build(), samples))
    rank = spearman(torch.tensor([gini(Wavelet()(s.image)) for s in slices]), gains[0])
    return (
        f"Gain of CS over zero-filling {words(bootstrap(gains[0]))} dB, with the same pixels shuffled "
        f"{words(bootstrap(gains[1]))} dB; rank correlation of gain and sparsity {rank:+.2f}."
    )


def shuffled(whole: Slice, seed: int) -> Slice:
    """The magnitudes inside the head in random order: as sparse in pixels as before, in no transform."""
    inside = head(whole.image) > 0
    size = whole.image.abs()[inside]
    order = torch.randperm(len(size), generator=torch.Generator().manual_seed(seed)).to(size.device)
    image = whole.image.clone()
    image[inside] = torch.polar(size[order], image[inside].angle())
    return replace(whole, image=image)


def regular(width: int, seed: int) -> Tensor:
    return equispaced(width, ACCELERATION, CENTRE, seed)


def irregular(width: int, seed: int) -> Tensor:
    """As many lines as `regular` has, the same centre, the rest drawn at random."""
    budget = effective_acceleration(regular(width, seed))
    return kt(width, 1, budget, round(width * CENTRE), power=0.0, seed=seed)[:, :, 0]


def disc(width: int, seed: int) -> Tensor:
    return poisson((width, width), effective_acceleration(regular(width, seed)), round(width * CENTRE), seed)


def radial(width: int, seed: int) -> Tensor:
    """The grid points that golden-angle spokes pass, as many spokes as the budget of `regular` pays."""
    budget = width * float(regular(width, seed).sum())
    points = (golden_angle(width, 2 * width).roll(seed, 0) * width).round().long() + width // 2
    mask = torch.zeros(width, width)
    for spoke in points.clamp(0, width - 1):
        if mask.sum() >= budget:
            break
        mask[spoke[:, 0], spoke[:, 1]] = 1
    return mask[None, None]


RULES = {"regular": regular, "random": irregular, "Poisson disc": disc, "radial": radial}


@experiment(4, "1.1", "Compressed sensing needs incoherent aliasing.")
def incoherence(where: Profile) -> Verdict:
    count, validation = {"ci": (4, 2), "cpu": (12, 4), "gpu": (12, 4)}[where.name]
    slices, few = scans.full("test", where, count), scans.full("val", where, validation)
    verdict = coherent_or_not(RULES, slices, few)
    coils = slices[0].maps.shape[1]
    gain = bootstrap(scanned(irregular, slices, few) - scanned(regular, slices, few))
    return replace(verdict, remark=f"{verdict.remark} With {coils} coils random minus regular lines: {words(gain)} dB.")


def scanned(rule: Rule, slices: Sequence[Slice], validation: Sequence[Slice]) -> Tensor:
    """PSNR of each slice with all its coils, lambda tuned for this mask: the control that one coil lacks."""

    def measured(group: Sequence[Slice], first: int) -> list[Sample]:
        masks = [rule(s.kspace.shape[-1], first + i) for i, s in enumerate(group)]
        return [data.undersample(s.kspace, s.maps, mask, s.image) for s, mask in zip(group, masks)]

    return scans.psnr(scans.tuned("cs_wavelet", measured(validation, 100)), measured(slices, 0))


def coherent_or_not(rules: dict[str, Rule], slices: Sequence[Slice], validation: Sequence[Slice]) -> Verdict:
    """PSNR of CS with random minus with regular lines, one coil, equal samples and centre, lambda tuned for each."""
    width = slices[0].kspace.shape[-1]
    found, lobes = {}, {}
    for name, rule in rules.items():
        method = scans.tuned("cs_wavelet", [scans.one_coil(s, rule(width, 100 + i)) for i, s in enumerate(validation)])
        masks = [rule(width, i) for i in range(len(slices))]
        found[name] = scans.psnr(method, [scans.one_coil(s, m) for s, m in zip(slices, masks)])
        lobes[name] = torch.tensor([side_lobe(m) for m in masks])
    effect = bootstrap(found["random"] - found["regular"])
    table = torch.stack(list(lobes.values())).mT, torch.stack(list(found.values())).mT
    rank = sum(spearman(a, b) for a, b in zip(*table)) / len(slices)
    first, *others = rules
    facts = "; ".join(f"{n} {lobes[n].mean():.2f}, {words(bootstrap(found[n] - found[first]))} dB" for n in others)
    remark = (
        f"Highest side lobe {lobes[first].mean():.2f} with {first} lines; side lobe and PSNR over it: {facts}. "
        f"Rank correlation of side lobe and PSNR in a slice: {rank:+.2f}."
    )
    return Verdict(decide(effect, VISIBLE), effect, "PSNR (dB) of wavelet CS, random minus regular lines", remark)


def side_lobe(mask: Tensor) -> float:
    """Highest value of the point spread function beyond its peak's neighbours, of the samples outside the centre."""
    row, column = mask.shape[-2] // 2, mask.shape[-1] // 2
    half = round(mask.shape[-1] * CENTRE / 2)
    outside = mask.clone()
    outside[..., max(0, row - half) : row + half + 1, column - half : column + half + 1] = 0
    spread = psf(outside).abs()
    spread[..., max(0, row - 1) : row + 2, column - 1 : column + 2] = 0
    return float(spread.max())
