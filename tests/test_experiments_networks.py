"""Experiments 11 and 12 can go either way: planted networks and planted races decide them as they should."""

import math
from itertools import islice

import pytest
import torch
from torch import nn

from course_lib import experiments
from course_lib.experiments import EXPERIMENTS, activations, shift, training
from course_lib.profiles import profile


class Vignette(nn.Module):
    """It knows where it is: brighter to the right, by pixels (a shift shows it) or by the width (a cut shows it)."""

    def __init__(self, of_the_width=False):
        super().__init__()
        self.of_the_width = of_the_width

    def forward(self, x):
        column = torch.arange(x.shape[-1]) - x.shape[-1] / 2
        return x * (1 + 0.02 * column * (64 / x.shape[-1] if self.of_the_width else 1))


class Mean(nn.Module):
    """A network that looks at the whole image: the same after a circular shift, but not after a cut."""

    def forward(self, x):
        return x - x.mean((-2, -1), keepdim=True)


@pytest.fixture
def images():
    x = torch.randn(6, 2, 48, 40) + 1
    x[..., :5] += 5  # a cut takes it away
    return x


@pytest.mark.parametrize(
    "net, outcome",
    [
        (nn.Conv2d(2, 2, 11, padding=5), "confirmed"),
        (nn.Conv2d(2, 2, 25, padding=12), "refuted"),  # sees further than the border that is left out
        (Vignette(), "refuted"),
        (Vignette(of_the_width=True), "refuted"),
        (Mean(), "refuted"),
    ],
    ids=["convolution", "large kernel", "vignette", "vignette of the width", "mean"],
)
def test_a_network_that_knows_where_it_is_or_how_large_refutes_claim_11(net, outcome, images):
    verdict = shift.compare(net, nn.AvgPool2d(1), images)
    assert verdict.outcome == outcome
    assert verdict.effect.high <= shift.TOLERANCE


def test_the_border_and_the_pooling_are_told(images):
    pooled = nn.Sequential(nn.AvgPool2d(4), nn.Upsample(scale_factor=4))
    remark = shift.compare(nn.Conv2d(2, 2, 3, padding=1), pooled, images).remark
    assert "away from the border: shift 0 %, cut 0 %" in remark and "one coarse pixel (4)" in remark
    by = [float(part.split(" %")[0]) for part in remark.partition("pools changes by ")[2].split("by ")]
    assert by[0] > 10 and by[1] < 1e-3


def race(**epochs):
    return {name.replace("_", " "): values for name, values in epochs.items()}


@pytest.mark.parametrize(
    "relu, outcome",
    [(3.0, "confirmed"), (14.0, "refuted"), (10.0, "refuted"), (9.0, "refuted")],
    ids=["faster", "slower", "alike", "a little faster"],
)
def test_the_race_decides_claim_12(relu, outcome):
    """Sigmoid is slow throughout: ReLU must beat the better of the two."""
    rivals = [9.6, 10.2, 10.0, 10.4, 9.8]
    found = race(ReLU=[relu] * 5, leaky_ReLU=[5.0] * 5, tanh=rivals, sigmoid=[30.0] * 5)
    verdict = activations.easier(found, dict.fromkeys(found, 1.0), 30)
    assert verdict.outcome == outcome
    assert verdict.effect.mean == pytest.approx(math.log2(10 / relu), abs=0.05)


def test_seeds_that_disagree_decide_nothing():
    found = race(ReLU=[2.0, 20, 3, 19, 9], leaky_ReLU=[9.0] * 5, tanh=[9.0] * 5, sigmoid=[9.0] * 5)
    assert activations.easier(found, dict.fromkeys(found, 1.0), 30).outcome == "not decided"


def test_a_level_that_nobody_reaches_decides_nothing():
    for relu, outcome in ((30.0, "not decided"), (6.0, "confirmed")):
        found = race(ReLU=[relu] * 5, leaky_ReLU=[9.0] * 5, tanh=[30.0] * 5, sigmoid=[30.0] * 5)
        assert activations.easier(found, dict.fromkeys(found, 1.0), 30).outcome == outcome


def test_the_time_to_a_level_is_read_between_epochs():
    def time(*losses, level=1.0, most=9):
        return training.time_to(iter(losses), level, most)

    assert time(4, 2, 0.5) == pytest.approx(2.5)
    assert time(0.5) == 1 and time(8, 4, 1) == 3
    assert time(4, 3, 2, most=3) == 3 and time(4, math.nan, 0.1) == 9
    assert time(4, 2, 4, 0.5, most=2) == 2


def test_a_race_is_training_and_is_repeatable():
    x = torch.randn(6, 2, 12, 12)
    act, gain = activations.ACTIVATIONS["ReLU"]
    losses = [list(islice(training.epochs(activations.network(act, gain, 3), x, x, 3e-3, seed=3), 8)) for _ in "ab"]
    assert losses[0] == losses[1] and losses[0][-1] < 0.7 * losses[0][0]
    assert losses[0] != list(islice(training.epochs(activations.network(act, gain, 4), x, x, 3e-3, seed=3), 8))


def test_signals_keep_their_size_and_the_sigmoid_s_gradient_fades():
    x, sizes = torch.randn(4, 2, 16, 16), {}
    for name, (act, gain) in activations.ACTIVATIONS.items():
        net = activations.network(act, gain, 0)
        assert sum(isinstance(layer, nn.Conv2d) for layer in net) == activations.DEPTH
        sizes[name] = activations.first_gradient(net, x, x)
    assert sizes["sigmoid"] < 0.1 * min(sizes["ReLU"], sizes["tanh"])


@pytest.mark.slow
@pytest.mark.parametrize("number", [11, 12])
def test_the_experiment_runs(number):
    verdict = experiments.run(number, "ci")
    assert verdict.outcome in ("confirmed", "refuted", "not decided") and math.isfinite(verdict.effect.mean)
    assert EXPERIMENTS[number].section == "1.2"


def test_pairs_are_zero_filled_images_and_their_truths():
    x, truth = training.pairs("test", profile("ci"), 3, strip=32)
    assert x.shape == truth.shape == (3, 2, 32, 64)
    assert 0.05 < (x - truth).norm() / truth.norm() < 0.6
