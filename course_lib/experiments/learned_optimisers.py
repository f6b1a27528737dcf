"""Review, section 2.5: is learned data consistency looser, and is a learned optimiser better than a designed one?"""

from collections.abc import Sequence
from math import log10

import torch
from torch import Tensor

from .. import data
from ..data.dataset import Slice
from ..data.sample import Sample
from ..evaluate import tune
from ..methods.base import Reconstructor, card
from ..methods.unrolled.rim import RIM
from ..ops.linear import LinearOperator
from ..profiles import Profile
from ..sampling import protocol
from ..scores import bootstrap
from ..shapes import Image, KSpace
from . import scans
from .base import Verdict, decide, experiment
from .domains import SIZE, Drawn, to_train_on, trained
from .statistics import words

LOOSER = log10(1.1)  # margin: a tenth more misfit. Both margins were fixed, as all that follows, before measuring
VISIBLE = 0.2  # margin in dB
STEPS = {"ci": 15, "cpu": 200, "gpu": 2000}
EXACT, LEARNED = "pdhg_csnet", ("cp_net", "pd_net")  # how the data come in: by formula, by a network
SETTINGS = {  # as many iterations, and about as many parameters
    "pdhg_csnet": {"iterations": 6, "width": 24},
    "cp_net": {"iterations": 6, "width": 16},
    "pd_net": {"iterations": 6, "width": 12, "memory": 3},
}
T, WIDTH = 8, 24  # steps of the recurrent inference machine, and its channels
LAMBDAS = [10 ** (-4 + i / 2) for i in range(7)]
LENGTHS = [0.5, 1.0, 1.5, 1.9]  # of a gradient step; from 2 on it may diverge


def learned(name: str, settings: dict, where: Profile, slices: Sequence[Slice]) -> Reconstructor:
    """The method after as many steps on the same slices and masks as any other here."""
    torch.manual_seed(0)
    return trained(card(name).build(**settings), Drawn(slices, training=True), STEPS[where.name])


def drawn(slices: Sequence[Slice], R: int) -> list[Sample]:
    """One mask for each slice, always the same."""
    masks = [protocol(R)(SIZE[1], (index, 0)).reshape(1, 1, 1, -1) for index in range(len(slices))]
    return [data.undersample(s.kspace, s.maps, mask, s.image) for s, mask in zip(slices, masks)]


def misfit(model: Reconstructor, samples: Sequence[Sample]) -> Tensor:
    """log10 of ||A x - y||^2 over that of the true image, which is the noise: 0 is as close as the truth is."""
    found = []
    for s in samples:
        with torch.no_grad():
            far, noise = ((s.A(x) - s.kspace).norm() ** 2 for x in (model(s.kspace, s.A), s.image))
        found.append((far / noise).log10())
    return torch.stack(found)


@experiment(44, "2.5", "Learned data consistency is more general, but looser.")
def learned_consistency(where: Profile) -> Verdict:
    slices, unseen = to_train_on(where), scans.full("test", where, 12, SIZE)
    models = {name: learned(name, settings, where, slices) for name, settings in SETTINGS.items()}
    test = {R: drawn(unseen, R) for R in (4, 2, 8)}
    far = {R: {name: misfit(m, samples) for name, m in models.items()} for R, samples in test.items()}
    levels = {R: {name: scans.psnr(m, samples) for name, m in models.items()} for R, samples in test.items()}
    return looser(far, levels)


def looser(far: dict[int, dict[str, Tensor]], levels: dict[int, dict[str, Tensor]]) -> Verdict:
    """log10 of the misfit of the tighter learned network minus that of the exact one, slice by slice, at R = 4."""
    effect = bootstrap(torch.minimum(*(far[4][name] for name in LEARNED)) - far[4][EXACT])
    gain = {name: words(bootstrap(levels[4][name] - levels[4][EXACT])) for name in LEARNED}
    listed = "; ".join(
        f"R = {R}: "
        + ", ".join(f"{name} {float(v.mean()):+.2f} / {float(levels[R][name].mean()):.2f}" for name, v in f.items())
        for R, f in far.items()
    )
    remark = (
        f"Trained at R = 4, as many steps each. log10 of the misfit over that of the truth / PSNR (dB), {listed}. "
        f"PSNR over {EXACT} at R = 4: " + ", ".join(f"{name} {gain[name]}" for name in LEARNED) + " dB."
    )
    measure = "log10 of the misfit, the tighter of CP-Net and PD-Net minus PDHG-CSNet"
    return Verdict(decide(effect, LOOSER), effect, measure, remark)


class GradientDescent(Reconstructor):
    """x <- x - length (A^H A x - A^H y), from A^H y: no prior but that it stops."""

    def __init__(self, length: float, iterations: int):
        super().__init__()
        self.length, self.iterations = length, iterations

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        x = AHy = A.H(y)
        for _ in range(self.iterations):
            x = x - self.length * (A.N(x) - AHy)
        return x


def designed(steps: int, validation: Sequence[Sample]) -> dict[str, Reconstructor]:
    """Optimisers that somebody thought of, stopped after so many steps, each with its number tuned."""
    length = tune(lambda v: GradientDescent(v, steps), validation, LENGTHS)
    found: dict[str, Reconstructor] = {"gradient descent": GradientDescent(length, steps)}
    for name, word in {"cs_wavelet": "FISTA, wavelets", "cs_tv": "FISTA, TV"}.items():
        build = card(name).build
        lam = tune(lambda v, build=build: build(lam=v, iterations=steps), validation, LAMBDAS)
        found[word] = build(lam=lam, iterations=steps)
    return found


@experiment(47, "2.5", "A learned optimiser may outperform hand-designed ones.")
def learned_optimiser(where: Profile) -> Verdict:
    slices = to_train_on(where)
    validation, test = (drawn(scans.full(split, where, n, SIZE), 4) for split, n in (("val", 6), ("test", 12)))
    rims = {steps: learned("rim", {"iterations": steps, "width": WIDTH}, where, slices) for steps in (T // 2, T)}
    rivals = {steps: designed(steps, validation) for steps in (T // 2, T)}
    for steps, found in rivals.items():
        found["unrolled PDHG"] = learned("pdhg_csnet", {"iterations": steps, "width": WIDTH}, where, slices)
    chosen = max(rivals[T], key=lambda name: scans.psnr(rivals[T][name], validation).mean())
    levels = {s: {name: scans.psnr(m, test) for name, m in (rivals[s] | {"RIM": rims[s]}).items()} for s in rivals}
    tv = designed(80, validation)["FISTA, TV"]
    return better_optimiser(levels, chosen, beyond(rims[T], test), scans.psnr(tv, test))


def beyond(rim: Reconstructor, samples: Sequence[Sample]) -> dict[int, Tensor]:
    """PSNR after T, 2 T and 4 T steps of a machine that was trained for T; it leaves as it came."""
    assert isinstance(rim, RIM)
    found = {}
    for steps in (T, 2 * T, 4 * T):
        rim.iterations = steps
        found[steps] = scans.psnr(rim, samples)
    rim.iterations = T
    return found


def better_optimiser(
    levels: dict[int, dict[str, Tensor]], chosen: str, run_on: dict[int, Tensor], converged: Tensor
) -> Verdict:
    """PSNR of the machine minus the designed optimiser that was best on validation data, as many steps each."""
    effect = bootstrap(levels[T]["RIM"] - levels[T][chosen])
    listed = "; ".join(
        f"{steps} steps: " + ", ".join(f"{name} {float(v.mean()):.2f}" for name, v in found.items())
        for steps, found in levels.items()
    )
    on = ", ".join(f"{steps} steps {words(bootstrap(v - run_on[T]))}" for steps, v in run_on.items() if steps > T)
    remark = (
        f"PSNR (dB), {listed}; {chosen} chosen on other subjects, one training each. Run beyond the {T} steps it was "
        f"trained for, the RIM changes by: {on} dB. TV after 80 steps: {float(converged.mean()):.2f} dB."
    )
    return Verdict(decide(effect, VISIBLE), effect, "PSNR (dB), RIM minus the best designed optimiser", remark)
