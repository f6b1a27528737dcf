"""Experiments 20 and 21 can go either way: planted runs and planted images decide them as they should."""

import math

import pytest
import torch

from course_lib import experiments
from course_lib.data.phantom import ellipses, phantom_sample
from course_lib.data.single import OneCoil
from course_lib.experiments import EXPERIMENTS, adversarial
from course_lib.experiments.adversarial import better_looking, both, invented, play, sharpness, steadier
from course_lib.methods import card


def runs(size, seeds=5, start=25.0):
    """PSNR (seed, check) that jumps by `size` dB from check to check, a little more in each seed."""
    signs = torch.tensor([1.0, -1.0]).repeat(5)
    return start + size * signs * (1 + 0.1 * torch.arange(seeds))[:, None]


@pytest.mark.parametrize(
    "alone, beside, outcome",
    [(4.0, 0.5, "confirmed"), (0.5, 0.5, "refuted"), (0.2, 2.0, "refuted"), (0.8, 0.5, "refuted")],
    ids=["wild", "alike", "calm", "a little"],
)
def test_fluctuation_decides_claim_20(alone, beside, outcome):
    verdict = steadier(runs(alone), runs(beside), folded=20.0)
    assert verdict.outcome == outcome
    assert verdict.effect.mean == pytest.approx(math.log2(alone / beside), abs=0.01)


def test_seeds_that_disagree_decide_nothing():
    mixed = torch.cat([runs(8.0, 3), runs(0.1, 3)])
    assert steadier(mixed, runs(0.5, 6), folded=20.0).outcome == "not decided"


def test_diverged_runs_are_counted_and_the_first_half_does_not_count():
    alone = runs(0.1)
    alone[:4, -1] = 3.0
    assert "4 / 0 of 5 seeds diverged" in steadier(alone, runs(0.1), folded=20.0).remark
    early = runs(0.5)
    early[:, :5] -= 20
    assert steadier(early, runs(0.5), folded=20.0).effect.mean == pytest.approx(0, abs=1e-6)


def looks(psnr, sharp, made_up=0.05, slices=8):
    spread = 1 + 0.02 * torch.arange(slices).double().sub(slices / 2)
    return torch.stack([psnr + spread, sharp * spread, made_up * spread])


@pytest.mark.parametrize(
    "gan, outcome",
    [
        (looks(24.0, 0.95), "confirmed"),
        (looks(25.5, 0.95), "refuted"),  # sharper, and better too
        (looks(24.0, 0.5), "refuted"),  # worse, and no sharper
        (looks(24.0, 3.2), "refuted"),  # too sharp is not near
    ],
    ids=["trade", "better", "worse", "noisy"],
)
def test_both_halves_decide_claim_21(gan, outcome):
    assert better_looking([(looks(25.0, 0.5), gan)] * 2).outcome == outcome


def test_a_claim_of_two_halves():
    assert both("confirmed", "confirmed") == "confirmed"
    assert both("confirmed", "refuted") == both("refuted", "not decided") == "refuted"
    assert both("confirmed", "not decided") == "not decided"


def test_sharpness_and_inventions_of_known_images():
    truth = ellipses(48, 48, 1)
    blurred = torch.nn.functional.avg_pool2d(truth.abs()[None], 3, 1, 1)[0] + 0j
    assert torch.allclose(sharpness(truth, truth), torch.ones(1)) and sharpness(blurred, truth) < 0.7
    assert sharpness(2 * truth, truth).item() == pytest.approx(2, rel=1e-5)
    assert invented(truth, truth) == 0 and invented(0 * truth, truth) == 0
    assert invented(truth.roll(2, -1), truth) == 0  # moved edges are near true ones
    square = truth.clone()
    square[:, 2:6, 2:6] = 1  # in the air, far from the head
    assert 0.05 < invented(square, truth) < 0.5


def test_playing_moves_both_and_is_repeatable():
    samples = [phantom_sample(seed=i, noise=0.02) for i in range(3)]
    found = []
    for _ in "ab":
        torch.manual_seed(0)
        model = card("gancs").build(eta=0.9, width=4, blocks=1)
        before = [p.detach().clone() for p in model.parameters()]
        found.append(play(model, samples, samples[:1], steps=6, checks=3))
        assert all(not torch.equal(p, b) for p, b in zip(model.parameters(), before))
    assert found[0] == found[1] and len(found[0]) == 3


def test_one_coil_hears_all_places_alike_and_its_noise_is_repeatable():
    several = [phantom_sample(seed=i) for i in range(2)]
    clean, noisy = OneCoil(several, noise=0.0), OneCoil(several)
    s = clean[1]
    assert len(clean) == 2 and s.kspace.shape == (1, 1, 32, 32)
    assert s.maps.abs().sub(1).abs().max() < 1e-5 and torch.equal(s.mask, several[1].mask)
    assert (s.A(s.image) - s.kspace).abs().max() < 1e-4 * s.kspace.abs().max()
    assert torch.equal(noisy[0].kspace, noisy[0].kspace)
    gone = noisy[0].kspace[noisy[0].mask.expand_as(noisy[0].kspace) == 0]
    assert not gone.any()
    error = noisy[0].A(noisy[0].image) - noisy[0].kspace
    level = error[noisy[0].mask.expand_as(error) > 0].abs().square().mean().sqrt()
    expected = 0.02 * noisy[0].image.abs().quantile(0.99)
    assert level.item() == pytest.approx(float(expected), rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("number", [20, 21])
def test_the_experiment_runs(number):
    verdict = experiments.run(number, "ci")
    assert verdict.outcome in ("confirmed", "refuted", "not decided") and math.isfinite(verdict.effect.mean)
    assert EXPERIMENTS[number].section == "2.1" and adversarial.BALANCE == card("gancs").build().eta
