"""Review, section 2.5: are unrolled networks their parents, do they need fewer iterations, and does physics help?"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ..check import claims, phantom, small
from ..data.sample import Sample
from ..evaluate import tune
from ..methods.base import METHODS, Reconstructor, card
from ..ops import Wavelet
from ..ops.linear import LinearOperator
from ..profiles import Profile
from ..scores import Interval, bootstrap
from ..shapes import Image, KSpace
from ..solve import safe_step, soft
from . import scans, speed
from .base import Verdict, decide, experiment
from .domains import SIZE, Drawn, to_train_on, trained
from .statistics import words

VISIBLE = 0.2  # margin in dB; fixed, as all that follows, before anything was measured
HALF = 1.0  # margin in powers of two: half the iterations
ITERATIONS = 6
TRIED = 1, 2, 4, 8  # cascades
STEPS = {"ci": 20, "cpu": 250, "gpu": 2000}
SEEDS = range(3)  # of the phantoms and weights on which a network must be its parent
PARENT = "without its learned part it is "


class LearnedISTA(Reconstructor):
    """ISTA with wavelets in which each iteration has its own step and threshold: numbers are all it learns."""

    def __init__(self, iterations: int, lam: float):
        super().__init__()
        self.rho = nn.Parameter(torch.ones(iterations))
        self.theta = nn.Parameter(torch.full((iterations,), lam))

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        x, W = (AHy := A.H(y)), Wavelet()
        step = safe_step(A, x)
        for rho, theta in zip(self.rho, self.theta):
            x = W.H(soft(W(x - rho * step * (A.N(x) - AHy)), theta.clamp_min(0)))
        return x


@experiment(40, "2.5", "Learned parameters are better adapted to the images than those tuned by hand.")
def learned_parameters(where: Profile) -> Verdict:
    test, validation = _unseen(where)
    data, steps = Drawn(to_train_on(where), training=True), STEPS[where.name]
    lam = tune(lambda v: LearnedISTA(ITERATIONS, v), validation, scans.LAMBDAS)
    converged = scans.tuned("cs_wavelet", validation)
    torch.manual_seed(0)
    filters = card("ista_net").build(phases=ITERATIONS, width=12, plus=True)
    numbers = LearnedISTA(ITERATIONS, lam)
    rungs = {
        "tuned by hand": LearnedISTA(ITERATIONS, lam),
        "numbers learned": trained(numbers, data, steps),
        "transform learned": trained(filters, data, steps),
        "tuned by hand and converged": converged,
    }
    return better_adapted({name: scans.psnr(model, test) for name, model in rungs.items()})


def better_adapted(levels: dict[str, Tensor]) -> Verdict:
    """PSNR with learned numbers minus PSNR with tuned ones, the rest being equal, slice by slice."""
    hand, numbers, transform, converged = levels.values()
    effect = bootstrap(numbers - hand)
    listed = ", ".join(f"{name} {float(values.mean()):.2f}" for name, values in levels.items())
    remark = (
        f"ISTA with wavelets, {ITERATIONS} iterations: {listed} dB. The transform learned too (ISTA-Net+), over "
        f"numbers alone {words(bootstrap(transform - numbers))}, over the converged algorithm "
        f"{words(bootstrap(transform - converged))} dB. One training each."
    )
    measure = "PSNR (dB), learned steps and thresholds minus one tuned lambda"
    return Verdict(decide(effect, VISIBLE), effect, measure, remark)


@experiment(41, "2.5", "Unrolled networks need fewer iterations than the algorithms that they unroll.")
def fewer_iterations(where: Profile) -> Verdict:
    test, validation = _unseen(where)
    lam = tune(lambda v: card("cs_wavelet").build(lam=v), validation, scans.LAMBDAS)
    fista = lambda n: card("cs_wavelet").build(lam=lam, iterations=n)
    needed = torch.tensor([speed.iterations(fista, s) for s in test], dtype=torch.float64)
    goal = scans.psnr(fista(speed.COUNTS[-1]), test) - speed.CLOSE
    data, nets = Drawn(to_train_on(where), training=True), {}
    for n in TRIED:
        torch.manual_seed(0)
        nets[n] = trained(card("dc_cnn").build(cascades=n, width=16, depth=3), data, STEPS[where.name])
    enough = first_good({n: scans.psnr(net, test) for n, net in nets.items()}, goal)
    seconds = [float(speed.times([m] * 2, test[:2]).mean()) for m in (fista(int(needed.median())), nets[TRIED[-1]])]
    return fewer(needed, enough, seconds)


def first_good(levels: dict[int, Tensor], goal: Tensor) -> Tensor:
    """Of each slice the smallest number of cascades that reaches its goal; as many as converged FISTA if none does."""
    enough = torch.full_like(goal, speed.COUNTS[-1])
    for n in sorted(levels, reverse=True):
        enough = torch.where(levels[n] >= goal, float(n), enough)
    return enough


def fewer(needed: Tensor, enough: Tensor, seconds: Sequence[float]) -> Verdict:
    """log2 of FISTA's iterations over the network's cascades, both to reach what FISTA converges to."""
    effect = bootstrap((needed / enough).log2())
    missed = float((enough >= speed.COUNTS[-1]).double().mean())
    remark = (
        f"Median: FISTA {float(needed.median()):.0f}, DC-CNN {float(enough.median()):.0f} of {TRIED}; "
        f"{100 * missed:.0f} % of the slices are never reached and count {speed.COUNTS[-1]}. "
        f"A slice takes FISTA {1000 * seconds[0]:.0f} ms "
        f"and {TRIED[-1]} cascades {1000 * seconds[1]:.0f} ms on one thread. Training is not counted."
    )
    return Verdict(decide(effect, HALF), effect, "log2 of iterations, FISTA over DC-CNN", remark)


@experiment(42, "2.5", "An unrolled network without its learned part is the algorithm that it unrolls.")
def parents(where: Profile) -> Verdict:
    names = [name for name, found in METHODS.items() if found.section == "2.5"]
    return each_is_its_parent({name: held(name) for name in names})


def held(name: str) -> dict[str, list[bool]]:
    """Of each parent that the method names: whether it is that parent, on several phantoms with other weights each."""
    found = {text.removeprefix(PARENT): test for text, test in claims(name).items() if text.startswith(PARENT)}
    return {parent: [_holds(test, name, seed) for seed in SEEDS] for parent, test in found.items()}


def _holds(test: Callable, name: str, seed: int) -> bool:
    try:
        test(small(name, seed), phantom(name, seed=seed))
    except AssertionError:
        return False
    return True


def each_is_its_parent(found: dict[str, dict[str, list[bool]]]) -> Verdict:
    """The share of methods that are their parents on every phantom; a method that names none decides nothing."""
    unnamed = [name for name, parents in found.items() if not parents]
    is_one = {name: all(all(held) for held in parents.values()) for name, parents in found.items() if parents}
    share = sum(is_one.values()) / max(1, len(is_one))
    outcome = "refuted" if share < 1 else "not decided" if unnamed else "confirmed"
    listed = ", ".join(
        f"{name} {'is' if is_one[name] else 'IS NOT'} {' and '.join(found[name])}" for name in sorted(is_one)
    )
    remark = f"{listed}. Without a named parent: {', '.join(unnamed) or 'none'}."
    measure = "share of the methods that are their parents"
    return Verdict(outcome, Interval(share, share, share), measure, remark)


@experiment(50, "2.5", "Networks that know the physics reconstruct no worse than a plain CNN, and are more robust.")
def physics(where: Profile) -> Verdict:
    test, _ = _unseen(where)
    data, steps = Drawn(to_train_on(where), training=True), STEPS[where.name]
    builds: dict[str, Callable[[int], Reconstructor]] = {
        "U-Net": lambda w: card("residual_unet").build(width=w, depth=2),
        "DC-CNN": lambda w: card("dc_cnn").build(cascades=5, width=w, depth=3),
        "MoDL": lambda w: card("modl").build(iterations=5, width=w, depth=3),
    }
    size, models = count(builds["DC-CNN"](20)), {}
    for name, build in builds.items():
        torch.manual_seed(0)
        models[name] = trained(closest(build, size), data, steps)
    noisy = list(Drawn([scans.noisier(s, 3) for s in scans.full("test", where, 12, SIZE)]))
    levels = {name: scans.psnr(model, test) for name, model in models.items()}
    robust = {name: scans.psnr(model, noisy) for name, model in models.items()}
    return knowing_pays(levels, robust, {name: count(model) for name, model in models.items()})


def knowing_pays(levels: dict[str, Tensor], noisy: dict[str, Tensor], sizes: dict[str, int]) -> Verdict:
    """PSNR of the worse of the two that know A, minus that of the U-Net, slice by slice."""
    worse = lambda found: torch.minimum(found["DC-CNN"], found["MoDL"]) - found["U-Net"]
    effect = bootstrap(worse(levels))
    listed = ", ".join(f"{name} {float(values.mean()):.2f} ({sizes[name]:,})" for name, values in levels.items())
    remark = (
        f"PSNR in dB (parameters): {listed}; equal steps, one training each. With three times the noise the difference "
        f"is {words(bootstrap(worse(noisy)))} dB. Equal parameters are not equal work."
    )
    measure = "PSNR (dB), the worse of DC-CNN and MoDL minus U-Net"
    return Verdict(decide(effect, VISIBLE), effect, measure, remark)


def count(model: nn.Module) -> int:
    """Its parameters, each once."""
    return sum(p.numel() for p in model.parameters())


def closest(build: Callable[[int], Reconstructor], size: int) -> Reconstructor:
    """The model whose width brings it closest to `size` parameters."""
    return min((build(width) for width in range(2, 64)), key=lambda model: abs(count(model) - size))


def _unseen(where: Profile) -> tuple[list[Sample], list[Sample]]:
    """Test and validation slices."""
    found = (list(Drawn(scans.full(split, where, n, SIZE))) for split, n in (("test", 12), ("val", 6)))
    test, validation = found
    return test, validation
