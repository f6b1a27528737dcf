"""Experiments 40 to 43, 45 and 50 can go either way: planted numbers decide them."""

import math

import pytest
import torch

from course_lib import experiments
from course_lib.data.phantom import phantom_sample
from course_lib.experiments import EXPERIMENTS, unrolled, unrolled_data
from course_lib.methods import METHODS
from course_lib.ops import Wavelet
from course_lib.solve import ista, soft

NOISE = torch.tensor([0.02, -0.02, 0.01, 0.0, -0.01, 0.0])
NUMBERS = 40, 41, 42, 43, 45, 50


def level(psnr: float) -> torch.Tensor:
    """PSNR of six slices around a mean."""
    return psnr + NOISE


@pytest.mark.parametrize(
    "numbers, outcome", [(21, "confirmed"), (20, "refuted"), (19, "refuted"), (20.21, "not decided")]
)
def test_learned_numbers_must_beat_tuned_ones_and_a_learned_transform_does_not_help_them(numbers, outcome):
    names = "tuned by hand", "numbers learned", "transform learned", "tuned by hand and converged"
    levels = dict(zip(names, (level(20), level(numbers).flip(0), level(30), level(15))))
    assert unrolled.better_adapted(levels).outcome == outcome


def test_untrained_it_is_ista():
    s = phantom_sample(coils=3)
    W, AHy = Wavelet(), s.A.H(s.kspace)
    x = ista(lambda x: s.A.N(x) - AHy, lambda v, step: W.H(soft(W(v), 0.01)), AHy, 1.0, 4)
    assert (unrolled.LearnedISTA(4, 0.01)(s.kspace, s.A) - x).abs().max() < 1e-5


@pytest.mark.parametrize(
    "needed, enough, outcome",
    [(40, 4, "confirmed"), (4, 4, "refuted"), (4, 200, "refuted"), (8, 4, "not decided")],
)
def test_iterations_are_compared_as_a_ratio(needed, enough, outcome):
    steps = torch.full((6,), float(needed), dtype=torch.float64) + NOISE
    verdict = unrolled.fewer(steps, torch.full((6,), float(enough), dtype=torch.float64), [1.0, 1.0])
    assert verdict.outcome == outcome


def test_the_fewest_cascades_that_are_good_enough_count_and_none_is_the_worst():
    levels = {1: torch.tensor([10.0, 30, 10]), 4: torch.tensor([30.0, 10, 10])}
    assert unrolled.first_good(levels, torch.tensor([20.0, 20, 20])).tolist() == [4, 1, 200]


def test_one_network_that_is_not_its_parent_refutes_and_one_without_a_parent_decides_nothing():
    good, bad = {"a": {"admm": [True, True]}}, {"b": {"ista": [True, False]}}
    assert unrolled.each_is_its_parent(good).outcome == "confirmed"
    verdict = unrolled.each_is_its_parent({**good, **bad})
    assert verdict.outcome == "refuted" and verdict.effect.mean == 0.5 and "b IS NOT ista" in verdict.remark
    assert unrolled.each_is_its_parent({**good, "c": {}}).outcome == "not decided"


def test_a_network_that_is_changed_is_no_longer_its_parent(monkeypatch):
    assert unrolled.held("varnet") == {"gradient descent": [True] * 3}
    cls = METHODS["varnet"].cls
    right = cls.forward
    monkeypatch.setattr(cls, "forward", lambda self, y, A: 1.01 * right(self, y, A))
    assert unrolled.held("varnet") == {"gradient descent": [False] * 3}


@pytest.mark.parametrize(
    "dc_cnn, modl, outcome",
    [(21, 22, "confirmed"), (22, 19, "refuted"), (20, 25, "refuted"), (20.21, 21, "not decided")],
)
def test_the_worse_of_the_two_that_know_physics_counts(dc_cnn, modl, outcome):
    levels = {"U-Net": level(20), "DC-CNN": level(dc_cnn).flip(0), "MoDL": level(modl)}
    assert unrolled.knowing_pays(levels, levels, dict.fromkeys(levels, 1)).outcome == outcome


@pytest.mark.parametrize("few, many, outcome", [(1, 0, "confirmed"), (1, 1, "refuted"), (0, 1, "refuted")])
def test_a_gain_must_shrink_with_data(few, many, outcome):
    def levels(first, second):
        return {n: {first: level(20 + g), second: level(20).flip(0)} for n, g in ((4, few), (40, many), (10, 9))}

    assert unrolled_data.sharing_saves_data(levels("shared", "own"), 0.5, 1.0).outcome == outcome
    verdict = unrolled_data.constraint_saves_data(levels("constrained", "relaxed"), {"constrained": 1, "relaxed": 2})
    assert verdict.outcome == outcome and verdict.effect.mean == pytest.approx(few - many, abs=1e-4)


def test_shared_cascades_hold_one_network_and_own_ones_five():
    size = [sum(p.numel() for p in unrolled_data.cascade(shared).parameters()) - 1 for shared in (True, False)]
    assert size[1] == 5 * size[0]
    assert (
        unrolled_data.apart(unrolled_data.cascade(True).f) < 1e-5 < unrolled_data.apart(unrolled_data.cascade(False).f)
    )


@pytest.mark.slow
@pytest.mark.parametrize("number", NUMBERS)
def test_the_experiment_runs(number):
    verdict = experiments.run(number, "ci")
    assert verdict.outcome in ("confirmed", "refuted", "not decided") and math.isfinite(verdict.effect.mean)
    assert EXPERIMENTS[number].section == "2.5"
