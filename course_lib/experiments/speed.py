"""Review, section 1.1: how long compressed sensing takes, and how long networks take."""

import math
import time
from collections.abc import Callable, Sequence
from statistics import median_low as median

import torch
from torch import Tensor

from ..data.sample import Sample
from ..evaluate import tune
from ..methods.base import Reconstructor, card
from ..metrics import psnr
from ..ops.sense import Sense
from ..profiles import Profile
from ..scores import bootstrap
from ..threads import one_thread
from . import scans
from .base import Verdict, decide, experiment

TWICE = math.log10(2)  # margin: less than twice the time is no difference
CLOSE = 0.1  # dB below the converged PSNR
COUNTS = (5, 8, 12, 16, 20, 25, 30, 40, 50, 65, 80, 100, 200)  # iterations; the last counts as converged
REPEATS = 3
Build = Callable[[int], Reconstructor]  # iterations -> method


class Counted(Sense):
    """A forward model that counts how often it is applied, forward and back alike; A^H A counts once."""

    calls: list[str]

    def __init__(self, A: Sense):
        super().__init__(A.mask, A.maps)
        object.__setattr__(self, "calls", [])  # operators are values: nothing else of them changes

    @property
    def count(self) -> int:
        return len(self.calls)

    def forward(self, x: Tensor) -> Tensor:
        self.calls.append("A")
        return super().forward(x)

    def adjoint(self, y: Tensor) -> Tensor:
        self.calls.append("A^H")
        return super().adjoint(y)

    def normal(self, x: Tensor) -> Tensor:
        self.calls.append("A^H A")
        return super().normal(x)


@experiment(6, "1.1", "Compressed sensing takes too long: networks are faster.")
def slowness(where: Profile) -> Verdict:
    count = {"ci": 2, "cpu": 8, "gpu": 12}[where.name]
    validation, test = scans.few("val", where, 3), scans.few("test", where, count)
    cs = {}
    for name in ("cs_wavelet", "cs_tv"):
        lam = tune(lambda v, name=name: card(name).build(lam=v), validation, scans.LAMBDAS)
        cs[name] = lambda n, name=name, lam=lam: card(name).build(lam=lam, iterations=n)
    networks = {"U-Net": card("unet").build(), "unrolled, 5 steps": card("dc_cnn").build()}
    small = {"U-Net": card("unet").build(**card("unet").small)}
    small["unrolled, 5 steps"] = card("dc_cnn").build(**card("dc_cnn").small | {"cascades": 5})
    return slower(cs, networks, small, test)


def slower(
    cs: dict[str, Build], networks: dict[str, Reconstructor], small: dict[str, Reconstructor], samples: Sequence[Sample]
) -> Verdict:
    """log10 of the time of the faster CS over that of the slower network, slice by slice, on one thread."""
    with one_thread():
        needed = {name: [iterations(build, s) for s in samples] for name, build in cs.items()}
        slow = {name: times([cs[name](n) for n in needed[name]], samples) for name in cs}
        fast = {name: times([m] * len(samples), samples) for name, m in networks.items()}
        light = {name: times([m] * len(samples), samples) for name, m in small.items()}
    ratio = (best(slow) / torch.stack(list(fast.values())).amax(0)).log10()
    against_small = (best(slow) / torch.stack(list(light.values())).amax(0)).log10()
    effect = bootstrap(ratio)
    typical = {name: cs[name](median(n)) for name, n in needed.items()}
    facts = [
        f"{name} {1000 * float(slow[name].median()):.0f} ms, {applied(method, samples[0])} times A"
        for name, method in typical.items()
    ] + [
        f"{name} {1000 * float(t.median()):.0f} ms ({1000 * float(light[name].median()):.0f} small), "
        f"{applied(networks[name], samples[0])} times A"
        for name, t in fast.items()
    ]
    remark = (
        f"Networks of the papers' sizes (in brackets the course's small ones), one thread: {'; '.join(facts)}. "
        f"Against the small networks CS takes {10 ** float(against_small.mean()):.2g} times as long. "
        "Training is not counted, and neither is choosing lambda."
    )
    return Verdict(decide(effect, TWICE), effect, "log10 of the time of CS over the time of the slower network", remark)


def iterations(build: Build, sample: Sample) -> int:
    """The fewest of COUNTS from which on the PSNR stays within CLOSE of the converged value."""

    def quality(n: int) -> float:
        return float(psnr(build(n)(sample.kspace, sample.A), sample.image))

    enough, goal = COUNTS[-1], quality(COUNTS[-1]) - CLOSE
    for n in reversed(COUNTS[:-1]):
        if quality(n) < goal:
            break
        enough = n
    return enough


def times(methods: Sequence[Reconstructor], samples: Sequence[Sample]) -> Tensor:
    """CPU seconds of each method on its sample, the median of REPEATS after one run to warm up.

    On one thread this is the time of a free machine, also when others work on it.
    """
    found = []
    for method, s in zip(methods, samples):
        with torch.no_grad():
            method(s.kspace, s.A)
            found.append(sorted(_seconds(method, s) for _ in range(REPEATS))[REPEATS // 2])
    return torch.tensor(found, dtype=torch.float64)


def _seconds(method: Reconstructor, s: Sample) -> float:
    start = time.process_time()
    method(s.kspace, s.A)
    return time.process_time() - start


def applied(method: Reconstructor, s: Sample) -> int:
    """How often the method applies A, A^H or A^H A."""
    A = Counted(s.A)
    with torch.no_grad():
        method(s.kspace, A)
    return A.count


def best(found: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(found.values())).amin(0)
