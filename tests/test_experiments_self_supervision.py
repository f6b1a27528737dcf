"""Experiments 53, 55 and 56 can go either way: planted numbers decide them, and their twins are what they say."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from course_lib import experiments
from course_lib.data.phantom import phantom_sample
from course_lib.experiments import EXPERIMENTS, self_supervision

NOISE = torch.tensor([0.02, -0.02, 0.01, 0.0, -0.01, 0.0])


def level(psnr: float) -> Tensor:
    """PSNR of six slices around a mean."""
    return psnr + NOISE


@pytest.mark.parametrize(
    "told, alone, outcome",
    [(31, 30, "confirmed"), (30.3, 30, "refuted"), (30, 31, "refuted"), (30.5, 30, "not decided")],
)
def test_alike_is_within_half_a_decibel(told, alone, outcome):
    verdict = self_supervision.falls_short(level(told), level(alone).flip(0), level(29), level(30), level(30))
    assert verdict.outcome == outcome and verdict.effect.mean == pytest.approx(told - alone, abs=1e-4)


@pytest.mark.parametrize(
    "part, everything, outcome",
    [(30, 28, "confirmed"), (30, 29.9, "refuted"), (28, 30, "refuted"), (30, 29.8, "not decided")],
)
def test_a_held_out_part_must_beat_all_of_the_data(part, everything, outcome):
    levels = {rho: level(part if rho == 0.4 else 40) for rho in self_supervision.RHO}
    verdict = self_supervision.over_fits(levels, level(everything).flip(0), level(27), (0.5, 1.1))
    assert verdict.outcome == outcome and verdict.effect.mean == pytest.approx(part - everything, abs=1e-4)


@pytest.mark.parametrize(
    "half, right, twice, outcome",
    [
        (26, 27, 25, "confirmed"),
        (27, 26, 25, "refuted"),
        (25, 26, 27, "refuted"),  # better than one wrong epsilon is not better than both
        (26.9, 27, 25, "refuted"),
        (26.8, 27, 25, "not decided"),
    ],
)
def test_the_right_epsilon_must_beat_both_wrong_ones(half, right, twice, outcome):
    levels = dict(zip(self_supervision.TIMES, (level(half).flip(0), level(right), level(twice))))
    verdict = self_supervision.noise_is_needed(levels, level(26), 1.0)
    assert verdict.outcome == outcome and verdict.effect.mean == pytest.approx(right - max(half, twice), abs=1e-4)


def test_the_twins_differ_in_what_their_loss_sees():
    sample = phantom_sample(coils=3)
    blind = replace(sample, image=sample.image * math.nan)
    models = {}
    for kind in (self_supervision.Supervised, self_supervision.OnOmega, self_supervision.SSDU):
        torch.manual_seed(0)
        models[kind] = self_supervision.network(kind)()
    told, everything, alone = models.values()
    assert told.loss(blind).isnan() and everything.loss(blind).isfinite() and alone.loss(blind).isfinite()
    assert all(torch.equal(a, b) for a, b in zip(told.parameters(), alone.parameters()))
    for model in models.values():
        model.forward = lambda y, A: sample.image
    assert told.loss(sample) < 1e-5 and everything.loss(sample) < 1e-5 and alone.loss(sample) < 1e-5
    changed = replace(sample, kspace=sample.kspace * 2)
    assert told.loss(changed) < 1e-5 < everything.loss(changed)


def test_the_misfit_of_the_truth_is_one():
    sample = phantom_sample(coils=3, noise=0.05)
    model = self_supervision.network(self_supervision.SSDU)()
    model.forward = lambda y, A: sample.image
    assert self_supervision.misfit(model, [sample]) == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.parametrize("number", [53, 55, 56])
def test_the_experiment_runs(number):
    verdict = experiments.run(number, "ci")
    assert verdict.outcome in ("confirmed", "refuted", "not decided") and math.isfinite(verdict.effect.mean)
    assert EXPERIMENTS[number].section == "3"
