"""Review, section 2.5: how much data do unrolled networks need, with shared weights and with constrained priors?"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ..methods.base import Reconstructor, card
from ..methods.unrolled.dc_cnn import DCCNN
from ..profiles import Profile
from ..scores import bootstrap
from . import scans
from .base import Verdict, decide, experiment
from .domains import SIZE, Drawn, trained
from .statistics import words

VISIBLE = 0.2  # margin in dB; fixed, as all that follows, before anything was measured
NUMBERS = {"ci": (2, 8), "cpu": (4, 24, 144), "gpu": (5, 40, 240)}  # of training slices
STEPS = {"ci": 20, "cpu": 200, "gpu": 2000}
Levels = dict[int, dict[str, Tensor]]  # number of training slices -> model -> PSNR of each test slice


@experiment(43, "2.5", "Weights of its own let each step behave differently; shared weights need fewer data.")
def sharing(where: Profile) -> Verdict:
    levels, last = learned(where, {"shared": lambda: cascade(True), "own": lambda: cascade(False)})
    own = last["own"]
    assert isinstance(own, DCCNN)
    torch.manual_seed(0)
    untrained = cascade(False)
    return sharing_saves_data(levels, apart(own.f), apart(untrained.f))


def cascade(shared: bool) -> DCCNN:
    """Five cascades, with one network or with five."""
    model = DCCNN(cascades=5, width=16, depth=3)
    if shared:
        model.f = nn.ModuleList([model.f[0]] * 5)
    return model


def apart(nets: Sequence[nn.Module] | nn.ModuleList) -> float:
    """1 minus the cosine of the angle between the weights of two networks, the mean over neighbours."""
    flat = [torch.cat([p.detach().flatten() for p in net.parameters()]) for net in nets]
    return float(1 - torch.stack([torch.cosine_similarity(a, b, dim=0) for a, b in zip(flat, flat[1:])]).mean())


def sharing_saves_data(levels: Levels, distance: float, before: float) -> Verdict:
    """The interaction: what sharing gains with few data minus what it gains with many, slice by slice."""
    gains = {n: found["shared"] - found["own"] for n, found in levels.items()}
    effect = bootstrap(gains[min(gains)] - gains[max(gains)])
    remark = (
        f"{told(levels)}. Shared minus own: {told_gains(gains)} dB. Cosine distance of neighbouring steps' own weights "
        f"{distance:.2f}, before training {before:.2f}. Equal steps, one training each."
    )
    measure = "PSNR (dB) gained by sharing, few data minus many"
    return Verdict(decide(effect, VISIBLE), effect, measure, remark)


@experiment(45, "2.5", "Constrained models need fewer data; relaxed ones win when there are enough.")
def constraint(where: Profile) -> Verdict:
    builds = {
        "constrained": lambda: card("varnet").build(iterations=4, filters=8, kernel=5),
        "relaxed": lambda: card("e2e_varnet").build(cascades=4, width=8, depth=2),
    }
    levels, models = learned(where, builds)
    return constraint_saves_data(levels, {name: sum(p.numel() for p in m.parameters()) for name, m in models.items()})


def constraint_saves_data(levels: Levels, sizes: dict[str, int]) -> Verdict:
    """The interaction: what the constraint gains with few data minus what it gains with many, slice by slice."""
    gains = {n: found["constrained"] - found["relaxed"] for n, found in levels.items()}
    effect = bootstrap(gains[min(gains)] - gains[max(gains)])
    most = bootstrap(gains[max(gains)])
    remark = (
        f"VarNet ({sizes['constrained']:,} parameters) and E2E-VarNet ({sizes['relaxed']:,}). {told(levels)}. "
        f"Constrained minus relaxed: {told_gains(gains)} dB. With most data the relaxed one "
        f"{'wins' if most.high < 0 else 'does not win'}. Equal steps, one training each."
    )
    measure = "PSNR (dB) gained by the constraint, few data minus many"
    return Verdict(decide(effect, VISIBLE), effect, measure, remark)


def learned(where: Profile, builds: dict[str, Callable[[], Reconstructor]]) -> tuple[Levels, dict[str, Reconstructor]]:
    """PSNR of each model after training on so many slices, equal steps for all; and the models that saw most."""
    test, levels, models = list(Drawn(scans.full("test", where, 12, SIZE))), {}, {}
    for n in NUMBERS[where.name]:
        slices = scans.full("train", where, n, SIZE)
        for name, build in builds.items():
            torch.manual_seed(0)
            models[name] = trained(build(), Drawn(slices, training=True), STEPS[where.name])
            levels.setdefault(n, {})[name] = scans.psnr(models[name], test)
    return levels, models


def told(levels: Levels) -> str:
    rows = (
        f"{n} slices: " + ", ".join(f"{k} {float(v.mean()):.2f}" for k, v in row.items()) for n, row in levels.items()
    )
    return "; ".join(rows) + " dB"


def told_gains(gains: dict[int, Tensor]) -> str:
    return ", ".join(f"{n} slices {words(bootstrap(gain))}" for n, gain in gains.items())
