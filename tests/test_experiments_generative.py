"""Experiment 58 can go either way: planted numbers decide it, and its parts do what they say."""

import math

import pytest
import torch

from course_lib import experiments
from course_lib.experiments import EXPERIMENTS, generative
from course_lib.methods import card

NOISE = torch.tensor([0.02, -0.02, 0.01, 0.0, -0.01, 0.0])


def decided(outside: float, inside: float = 0.0):
    fixed = {"in": 30 + NOISE, "out": 20 + NOISE}
    moved = {"in": 30 + inside + NOISE.flip(0), "out": 20 + outside + NOISE.flip(0)}
    noisy = {steps: psnr + NOISE for steps, psnr in zip(generative.WATCHED, (10.0, 12.0, 14.0, 13.0, 12.0, 11.0))}
    return generative.gains(fixed, moved, noisy, 25 + NOISE)


@pytest.mark.parametrize(
    "outside, outcome", [(1.0, "confirmed"), (0.1, "refuted"), (-1.0, "refuted"), (0.2, "not decided")]
)
def test_the_gain_outside_the_range_decides(outside, outcome):
    verdict = decided(outside)
    assert verdict.outcome == outcome and verdict.effect.mean == pytest.approx(outside, abs=1e-4)


def test_the_remark_tells_the_interaction_and_the_over_fitting():
    remark = decided(1.0, inside=-0.5).remark
    assert "minus inside, +1.50" in remark and "after the best, 50, -3.00" in remark and "tuned TV 25.00" in remark


def test_the_data_are_those_of_one_coil_with_the_stated_noise():
    images = generative.phantoms(7000, 2)
    clean, noisy = generative.measured(images, 0.0), generative.measured(images, 0.5)
    for a, b, x in zip(clean, noisy, images):
        assert torch.equal(a.image[0], x) and (a.kspace - a.A(x[None])).abs().max() < 1e-6
        added = (b.kspace - a.kspace)[..., a.mask[0, 0, 0] > 0]
        assert added.abs().square().mean().sqrt().item() == pytest.approx(0.5, rel=0.1)
    assert (clean[0].mask != clean[1].mask).any()


def test_training_moves_both_players_and_is_repeatable():
    images, found = generative.phantoms(7000, 4), []
    for _ in "ab":
        torch.manual_seed(0)
        model = card("gan_prior").build(size=(32, 32), latent=4, width=16, depth=2)
        before = {key: value.clone() for key, value in model.state_dict().items()}
        generative.trained(model, images, 3)
        assert all((value != before[key]).any() for key, value in model.state_dict().items() if value.ndim > 1)
        found.append(model.G.first.weight.detach().clone())
    assert torch.equal(*found)


@pytest.mark.slow
def test_the_experiment_runs():
    verdict = experiments.run(58, "ci")
    assert verdict.outcome in ("confirmed", "refuted", "not decided") and math.isfinite(verdict.effect.mean)
    assert EXPERIMENTS[58].section == "3"
