"""Experiments 44 and 47 can go either way: planted numbers decide them, and what they measure is what they say."""

import math

import pytest
import torch
from torch import Tensor

from course_lib import build, experiments
from course_lib.data.dataset import Slice
from course_lib.data.phantom import phantom_sample
from course_lib.experiments import EXPERIMENTS, learned_optimisers
from course_lib.methods import Reconstructor, card
from course_lib.methods.unrolled.rim import RIM

NOISE = torch.tensor([0.02, -0.02, 0.01, 0.0, -0.01, 0.0])
NAMES = ("pdhg_csnet", "cp_net", "pd_net")


def level(value: float) -> Tensor:
    """Six slices around a mean."""
    return value + NOISE


@pytest.mark.parametrize(
    "exact, cp, pd, outcome",
    [
        (0.0, 0.5, 0.6, "confirmed"),
        (0.0, 0.5, 0.01, "refuted"),  # one of the two is as tight
        (0.0, 0.0, 0.0, "refuted"),
        (0.5, 0.1, 0.2, "refuted"),
        (0.0, 0.045, 0.5, "not decided"),
    ],
)
def test_both_learned_steps_must_be_looser(exact, cp, pd, outcome):
    far = dict(zip(NAMES, (level(exact), level(cp).flip(0), level(pd).flip(0))))
    levels = {R: {name: level(30) for name in NAMES} for R in (4, 2, 8)}
    verdict = learned_optimisers.looser(dict.fromkeys(levels, far), levels)
    assert verdict.outcome == outcome
    assert verdict.effect.mean == pytest.approx(min(cp, pd) - exact, abs=1e-4)


@pytest.mark.parametrize(
    "rim, rival, outcome",
    [(31.0, 30.0, "confirmed"), (30.1, 30.0, "refuted"), (29.0, 30.0, "refuted"), (30.21, 30.0, "not decided")],
)
def test_the_machine_must_beat_the_rival_that_was_chosen(rim, rival, outcome):
    levels = {steps: {"RIM": level(rim), "FISTA, TV": level(rival).flip(0), "other": level(40)} for steps in (4, 8)}
    run_on = {steps: level(rim - steps / 8) for steps in (8, 16, 32)}
    verdict = learned_optimisers.better_optimiser(levels, "FISTA, TV", run_on, level(30))
    assert verdict.outcome == outcome and verdict.effect.mean == pytest.approx(rim - rival, abs=1e-4)
    assert "16 steps -1.00" in verdict.remark and "32 steps -3.00" in verdict.remark


def test_the_misfit_of_the_truth_is_nought_and_that_of_a_blank_image_is_large():
    sample = phantom_sample(coils=3)
    for scale, expected in ((1.0, 0.0), (0.0, 2 * (sample.kspace.norm() / off(sample)).log10())):

        class Planted(Reconstructor):
            def forward(self, y, A, scale=scale):
                return scale * sample.image

        assert learned_optimisers.misfit(Planted(), [sample])[0] == pytest.approx(float(expected), abs=1e-3)


def off(sample) -> Tensor:
    return (sample.A(sample.image) - sample.kspace).norm()


def test_the_three_networks_are_of_one_size_and_as_long():
    models = [card(name).build(**settings) for name, settings in learned_optimisers.SETTINGS.items()]
    sizes = [sum(p.numel() for p in m.parameters()) for m in models]
    assert max(sizes) < 1.1 * min(sizes)
    assert {settings["iterations"] for settings in learned_optimisers.SETTINGS.values()} == {6}


def test_gradient_descent_is_a_machine_without_its_network():
    sample = phantom_sample(coils=3)
    rim = RIM(iterations=5, width=2)
    rim.h.forward = lambda g, x, state: (-0.7 * g, state)  # pyright: ignore
    x = learned_optimisers.GradientDescent(0.7, 5)(sample.kspace, sample.A)
    assert (x - rim(sample.kspace, sample.A)).abs().max() < 1e-5


def test_designed_optimisers_are_stopped_and_tuned():
    samples = [phantom_sample(24, 24, coils=3, seed=seed) for seed in (1, 2)]
    found = learned_optimisers.designed(3, samples)
    assert set(found) == {"gradient descent", "FISTA, wavelets", "FISTA, TV"}
    assert all(m.iterations == 3 for m in found.values())
    other = build("cs_tv", lam=1.0, iterations=3)
    psnr = [learned_optimisers.scans.psnr(m, samples).mean() for m in (found["FISTA, TV"], other)]
    assert psnr[0] > psnr[1]


def test_beyond_runs_on_and_puts_the_number_back():
    sample = phantom_sample(coils=3)
    rim = RIM(width=2)
    rim.h.forward = lambda g, x, state: (-0.5 * g, state)  # pyright: ignore
    found = learned_optimisers.beyond(rim, [sample])
    assert rim.iterations == learned_optimisers.T and list(found) == [8, 16, 32]
    assert found[8] != found[16]


def test_masks_are_drawn_once_and_with_the_acceleration_that_is_asked_for():
    whole = whole_slice()
    few, many = (learned_optimisers.drawn([whole], R)[0].mask.mean() for R in (8, 2))
    assert few < 0.3 < many
    assert torch.equal(learned_optimisers.drawn([whole], 4)[0].mask, learned_optimisers.drawn([whole], 4)[0].mask)


def whole_slice() -> Slice:
    sample = phantom_sample(64, 64, coils=3)
    full = type(sample.A)(torch.ones_like(sample.mask), sample.maps)(sample.image)
    return Slice(full, sample.maps, sample.image, (0, 64), None)


@pytest.mark.slow
@pytest.mark.parametrize("number", [44, 47])
def test_the_experiment_runs(number):
    verdict = experiments.run(number, "ci")
    assert verdict.outcome in ("confirmed", "refuted", "not decided") and math.isfinite(verdict.effect.mean)
    assert EXPERIMENTS[number].section == "2.5"
