"""Experiment 48 can go either way: planted numbers decide it, and its networks lack what their names say."""

import math

import pytest
import torch

from course_lib import experiments
from course_lib.experiments import EXPERIMENTS, dynamic
from course_lib.experiments.domains import trained
from course_lib.methods import card

NOISE = torch.tensor([0.02, -0.02, 0.01, 0.0, -0.01, 0.0])
NAMES = ("CRNN", *dynamic.RIVALS)


@pytest.mark.parametrize(
    "drops, outcome",
    [
        ((1.0, 2.0, 3.0), "confirmed"),
        ((-1.0, 2.0, 3.0), "refuted"),
        ((3.0, 0.05, 2.0), "refuted"),  # within the margin: one redundancy is not used
        ((3.0, 2.0, -2.0), "refuted"),
        ((0.2, 1.0, 1.0), "not decided"),
    ],
)
def test_everything_that_is_taken_away_must_cost(drops, outcome):
    levels = {"CRNN": 30 + NOISE} | {name: 30 - d + NOISE.flip(0) for name, d in zip(dynamic.RIVALS, drops)}
    verdict = dynamic.both_redundancies(levels, dict.fromkeys(NAMES, 7))
    assert verdict.outcome == outcome and verdict.effect.mean == pytest.approx(min(drops), abs=1e-4)


def stirred(name):
    """A network whose last layer, which starts at zero, does something."""
    model = dynamic.network(name)
    for p in model.parameters():
        if not p.any():
            torch.nn.init.normal_(p, std=0.1)
    return model


@torch.no_grad()
def reached(name):
    """Which of eight frames change when the data of the middle one do."""
    sample, model = dynamic.films(1, 1)[0], stirred(name)
    factors = torch.ones(8, 1, 1)
    factors[3] = 100
    change = model(factors * sample.kspace, sample.A) - model(sample.kspace, sample.A)
    return (change[0].abs().amax((1, 2)) > 1e-5).tolist()


def test_states_reach_all_frames_later_ones_or_none():
    assert reached("CRNN") == reached("no memory") == [True] * 8
    assert reached("one direction") == [False] * 3 + [True] * 5
    assert reached("frame by frame") == [False] * 3 + [True] + [False] * 4


@torch.no_grad()
def test_without_memory_the_kernels_that_read_it_do_nothing():
    sample = dynamic.films(1, 1)[0]
    for name in ("CRNN", "no memory"):
        model = stirred(name)
        before = model(sample.kspace, sample.A)
        for V in model.f.V:
            V.weight.neg_()
        assert ((model(sample.kspace, sample.A) - before).abs().max() == 0) == (name == "no memory")


def test_all_have_about_as_many_parameters():
    sizes = [sum(p.numel() for p in dynamic.network(name).parameters()) for name in NAMES]
    assert max(sizes) / min(sizes) < 1.06


@torch.no_grad()
def test_a_method_for_images_sees_each_frame_with_its_own_lines():
    sample = dynamic.films(1, 1)[0]
    y, A = sample.kspace, sample.A
    film = dynamic.FrameByFrame(card("sense_cg").build(lam=0.1))(y, A)
    for t in (0, 5):
        frame = card("sense_cg").build(lam=0.1)(y[:, :, t], type(A)(A.mask[:, :, t], A.maps[:, :, 0]))
        assert (film[:, t] - frame).abs().max() < 1e-4


def test_training_lowers_the_loss():
    training = dynamic.films(1, 2)
    model = dynamic.network("CRNN")
    before = sum(model.loss(s).item() for s in training)
    trained(model, training, 10)
    assert sum(model.loss(s).item() for s in training) < before


@pytest.mark.slow
def test_the_experiment_runs():
    verdict = experiments.run(48, "ci")
    assert verdict.outcome in ("confirmed", "refuted", "not decided") and math.isfinite(verdict.effect.mean)
    assert EXPERIMENTS[48].section == "2.5"
