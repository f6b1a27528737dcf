"""Experiments 18, 19 and 67 can go either way: made-up numbers decide them as they should."""

import math

import pytest
import torch

from course_lib import experiments
from course_lib.experiments import EXPERIMENTS, films

NOISE = 0.02 * torch.randn(12, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "gain, outcome", [(1.0, "confirmed"), (-1.0, "refuted"), (0.05, "refuted"), (0.2, "not decided")]
)
def test_the_gain_of_time_decides_claim_18(gain, outcome):
    psnr = {"2-D": 30 + 0 * NOISE, "time in channels": 25 + NOISE, "3-D": 30 + gain + NOISE}
    mean = {"2-D": 30.0, "time in channels": 20.0, "3-D": 29.0}  # validation chooses 3-D, whatever the test says
    verdict = films.better_with_time(psnr, mean, dict.fromkeys(psnr, 7))
    assert verdict.outcome == outcome and verdict.effect.mean == pytest.approx(gain, abs=0.02)
    assert "Chosen on validation: 3-D" in verdict.remark


@pytest.mark.parametrize(
    "better, outcome", [(3.0, "confirmed"), (-3.0, "refuted"), (0.1, "refuted"), (0.5, "not decided")]
)
def test_the_velocity_error_decides_claim_19(better, outcome):
    truth = torch.linspace(-50, 80, 9)
    aliased, rates = 8 + 0.2 * NOISE[:9], torch.tensor([-2.0, 0, 2])[:, None]
    flow = lambda error: films.Flow(error + rates, truth.expand(3, -1) + 1)
    found = {"zero-filled": flow(aliased), "TV": flow(aliased - 4), "complex": flow(aliased - better + NOISE[:9])}
    verdict = films.faster_than_aliased(found, "complex", truth, 40.0)
    assert verdict.outcome == outcome and verdict.effect.mean == pytest.approx(better, abs=0.05)
    assert "bias +1.00" in verdict.remark and "true magnitudes alone 40.0" in verdict.remark


@pytest.mark.parametrize(
    "ratio, outcome", [(1.3, "confirmed"), (0.8, "refuted"), (1.01, "refuted"), (1.05, "not decided")]
)
def test_the_phase_error_decides_claim_67(ratio, outcome):
    one = 0.2 + 0.1 * torch.rand(2, 12, generator=torch.Generator().manual_seed(2))
    errors = {"complex": one, "two channels": ratio * one * (1 + 0.5 * NOISE)}
    facts = dict.fromkeys(errors, 0.5), dict.fromkeys(errors, 30.0), dict.fromkeys(errors, 7)
    verdict = films.keeps_better(errors, *facts)
    assert verdict.outcome == outcome and verdict.effect.mean == pytest.approx(100 * (ratio - 1), abs=1)


def test_phase_errors_and_turns_are_measured():
    s = films.scanned(1, 1, flat=False)[0]
    exact = films.Residual(lambda x: x - s.image * torch.polar(torch.ones(()), torch.tensor(0.3)))
    assert float(films.phase_error(exact, s)) == pytest.approx(0.3, abs=1e-3)
    assert films.unturned(films.Residual(lambda x: 0.5 * x), s) < 1e-5
    assert films.unturned(films.Residual(lambda x: x.conj()), s) > 0.1


def test_the_three_ways_to_see_time_are_of_almost_equal_size():
    sizes = [sum(p.numel() for p in build().parameters()) for build in films.WAYS.values()]
    assert max(sizes) / min(sizes) < 1.08


def test_frames_are_seen_alone_or_together():
    x = torch.randn(1, films.FRAMES, 16, 16, dtype=torch.complex64)
    changed = x.clone()
    changed[:, 0] *= 2
    for name, build in films.WAYS.items():
        net = build()
        for p in net.parameters():
            if not p.any():
                torch.nn.init.normal_(p, std=0.3)
        difference = (net(changed) - net(x))[:, 4].abs().max()
        assert (difference > 1e-4) == (name != "2-D"), name


@pytest.mark.slow
@pytest.mark.parametrize("number", [18, 19, 67])
def test_the_experiment_runs(number):
    verdict = experiments.run(number, "ci")
    assert verdict.outcome in ("confirmed", "refuted", "not decided") and math.isfinite(verdict.effect.mean)
    assert EXPERIMENTS[number].number == number
