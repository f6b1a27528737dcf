"""Review, section 2.2: do virtual coils carry a network to another array, and does a low rank allow completion?"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from ..data import simulate
from ..data.dataset import Slice
from ..data.embedded import scanner
from ..data.sample import Sample
from ..methods.base import METHODS, Reconstructor, card
from ..methods.kspace.deep_spirit import DeepSPIRiT
from ..metrics import nrmse
from ..ops import Coils, Fourier
from ..ops.hankel import Hankel
from ..profiles import Profile
from ..scores import Interval, bootstrap
from ..shapes import KSpace
from ..solve.aloha import WeightedHankel, derivatives
from . import scans
from .base import Verdict, decide, experiment
from .domains import SIZE, STEPS, Drawn, to_train_on, trained
from .statistics import spearman, words

VISIBLE = 0.2  # margin in dB; fixed, as all that follows, before anything was measured
WEAK = 0.2  # margin of a rank correlation
KERNEL = 5
ENERGY = 0.99


class AsTheyCome(DeepSPIRiT):
    """DeepSPIRiT without PCA: the coils are channels in the order in which they come."""

    def virtual(self, y: KSpace) -> tuple[KSpace, Tensor]:
        return y, torch.eye(y.shape[1], dtype=y.dtype, device=y.device)[None]


def array(whole: Slice, coils: int, seed: int) -> Slice:
    """The slice as array number `seed` would see it: the same coils at the same places, whoever lies in the scanner.

    The real scan's coils, their strongest mixtures over the whole frame, turned at random, with gains from 1/2 to 2;
    the maps have a root sum of squares of 1 on the slice's support. The noise is white, as strong as the slice's.
    """
    maps = everywhere(*whole.image.shape[-2:], coils, seed) * (whole.maps != 0).any(1, keepdim=True)
    level = scans.corners(whole.kspace).mean().sqrt()
    kspace = (Fourier() @ Coils(maps))(whole.image) + level * scans.noise_like(maps, seed)
    return replace(whole, kspace=kspace, maps=maps)


@lru_cache(maxsize=8)
def everywhere(rows: int, columns: int, coils: int, seed: int) -> Tensor:
    """The maps (1, coil, rows, columns) of array number `seed` over the whole frame, root sum of squares 1."""
    size, rng = max(rows, columns), torch.Generator().manual_seed(seed)
    place, there = simulate.coil_places(size, rng), scanner()
    there = there.mixed(simulate.mixture(len(there.modes), rng))
    there = there.mixed(simulate.strongest(there.modes, place, torch.ones(1, size, size), coils))
    found = len(there.modes)
    turn = torch.linalg.qr(torch.randn(found, found, dtype=torch.complex64, generator=rng))[0]
    there = there.mixed(turn * 2 ** (2 * torch.rand(found, 1, generator=rng) - 1))
    maps = simulate.cut(simulate.cut(simulate.sensitivities(there.modes, place), rows, -2), columns, -1)[None]
    return maps / maps.abs().square().sum(1, keepdim=True).sqrt()


@experiment(25, "2.2", "Virtual coils, ordered by PCA, let a network be used with other coils.")
def other_arrays(where: Profile) -> Verdict:
    slices, unseen = to_train_on(where), scans.full("test", where, 12, SIZE)
    coils = unseen[0].maps.shape[1]
    own, other, fewer = (
        list(Drawn([array(s, n, seed) for s in unseen])) for n, seed in ((coils, 1), (coils, 2), (coils - 2, 3))
    )
    found = {}
    for name, kind in {"PCA": DeepSPIRiT, "as they come": AsTheyCome}.items():
        torch.manual_seed(0)
        model = kind(coils=coils, width=32, blocks=2, count=2)
        trained(model, Drawn([array(s, coils, 1) for s in slices], training=True), STEPS[where.name])
        found[name] = [level(model, samples) for samples in (own, other, fewer)]
    found["zero-filled"] = [level(METHODS["zero_filled"].build(), samples) for samples in (own, other, fewer)]
    return carried_over(found)


def level(model: Reconstructor, samples: Sequence[Sample]) -> Tensor:
    """NMSE in dB of each slice."""
    with torch.no_grad():
        return 20 * torch.cat([nrmse(model(s.kspace, s.A), s.image) for s in samples]).log10()


def carried_over(found: dict[str, list[Tensor]]) -> Verdict:
    """NMSE (dB) of each slice, {method: the own array, another one, one of fewer coils}: difference in differences.

    Zero-filling stands beside them: networks that learned nothing lose the same, and prove nothing. Each must beat it
    visibly on the array of its training, or nothing is decided.
    """
    gap, fewer = ({name: v[i] - v[0] for name, v in found.items()} for i in (1, 2))
    effect = bootstrap(gap["as they come"] - gap["PCA"])
    less = bootstrap(fewer["as they come"] - fewer["PCA"])
    gains = {name: bootstrap(found["zero-filled"][0] - found[name][0]) for name in ("PCA", "as they come")}
    idle = [f"{name} ({words(gain)})" for name, gain in gains.items() if gain.low <= VISIBLE]
    levels = "; ".join(f"{n} " + ", ".join(f"{float(x.mean()):.2f}" for x in v) for n, v in found.items())
    remark = f"NMSE (dB) on the array of training, another, one of 2 coils fewer: {levels}. Fewer coils: {words(less)}."
    if idle:
        names = ", ".join(idle)
        remark += f" Not visibly better than zero-filling on its own array, so nothing can be carried over: {names} dB."
    outcome = "not decided" if idle else decide(effect, VISIBLE)
    return Verdict(outcome, effect, "NMSE (dB) lost on another array, without PCA minus with", remark)


@experiment(27, "2.2", "The low rank of the weighted Hankel matrix allows completion.")
def completion(where: Profile) -> Verdict:
    count = {"ci": 6, "cpu": 16, "gpu": 30}[where.name]
    slices = [s for split in ("val", "test") for s in scans.full(split, where, count, SIZE)]
    samples, method = list(Drawn(slices)), card("aloha").build(share=0.2, kernel=KERNEL)
    ranks = {weighted: torch.tensor([share(s.kspace, weighted) for s in slices]) for weighted in (True, False)}
    return rank_tells(ranks[True], ranks[False], level(method, samples), level(METHODS["zero_filled"].build(), samples))


def share(k: KSpace, weighted: bool) -> float:
    """The rank that holds ENERGY of the windows of full k-space, as a part of the largest rank there can be."""
    hankel = Hankel((k.shape[-2], k.shape[-1]), (KERNEL, KERNEL))
    X = (WeightedHankel(hankel, derivatives(k)[1:]) if weighted else hankel)(k)
    energy = torch.linalg.eigvalsh(X.mH @ X)[0].flip(0).clamp_min(0).cumsum(0)
    return float((energy < ENERGY * energy[-1]).sum() + 1) / len(energy)


def rank_tells(weighted: Tensor, plain: Tensor, completed: Tensor, filled: Tensor) -> Verdict:
    """Rank of each slice's full matrix, NMSE (dB) of ALOHA and of zero-filling: a small error where it is low?"""
    effect = correlation(weighted, completed)
    others = words(correlation(plain, completed)), words(correlation(weighted, completed - filled))
    remark = (
        f"Rank at {ENERGY:.0%} of the energy: {weighted.mean():.2f} of the largest one, {plain.mean():.2f} without "
        f"weights (there the correlation is {others[0]}). Rank and NMSE over that of zero-filling: {others[1]}."
    )
    return Verdict(decide(effect, WEAK), effect, "rank correlation of the matrix's rank and NMSE", remark)


def correlation(a: Tensor, b: Tensor, draws: int = 1000) -> Interval:
    """Spearman's, with its 95 % interval over resampled slices."""
    picks = torch.randint(len(a), (draws, len(a)), generator=torch.Generator().manual_seed(0))
    drawn = torch.tensor([spearman(a[p], b[p]) for p in picks], dtype=torch.float64)
    low, high = drawn.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return Interval(spearman(a, b), low, high)
