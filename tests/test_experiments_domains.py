"""Experiments 37 and 38 can go either way: planted numbers decide them, and their chains are what they say."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from course_lib import experiments
from course_lib.data.phantom import phantom_sample
from course_lib.experiments import EXPERIMENTS, domains
from course_lib.methods import Reconstructor
from course_lib.ops import fft2c, ifft2c

NOISE = torch.tensor([0.02, -0.02, 0.01, 0.0, -0.01, 0.0])


def level(psnr: float) -> Tensor:
    """PSNR of six slices around a mean."""
    return psnr + NOISE


def decided(image: float, kspace: float, both: float):
    levels = {"IIII": level(image), "KKKK": level(kspace), "KIKI": level(both).flip(0)}
    rings = {name: torch.full((4,), 0.1) for name in levels}
    return domains.both_beat_each(levels, "KIKI", {name: v - 1 for name, v in levels.items()}, rings)


@pytest.mark.parametrize(
    "image, kspace, both, outcome",
    [
        (20, 19, 21, "confirmed"),
        (19, 20, 21, "confirmed"),
        (20, 19, 20.1, "refuted"),  # within the margin
        (20, 22, 21, "refuted"),  # better than one is not better than each
        (20, 19, 20.21, "not decided"),
    ],
)
def test_both_must_beat_the_better_one(image, kspace, both, outcome):
    verdict = decided(image, kspace, both)
    assert verdict.outcome == outcome
    assert verdict.effect.mean == pytest.approx(both - max(image, kspace), abs=1e-4)


@pytest.mark.parametrize(
    "one, many, outcome",
    [(0.0, 1.0, "confirmed"), (1.0, 1.0, "refuted"), (1.0, 0.0, "refuted"), (0.5, 0.7, "not decided")],
)
def test_the_gain_must_be_larger_with_many_coils(one, many, outcome):
    """A gain that is the same with one coil and with many is none: the levels themselves do not matter."""
    both = [{"IIII": level(base), "KIKI": level(base + gain).flip(0)} for base, gain in ((20, one), (30, many))]
    verdict = domains.pays_more(both[0], {**both[1], "KIKI": both[1]["KIKI"] + NOISE.flip(0)})
    assert verdict.outcome == outcome and verdict.effect.mean == pytest.approx(many - one, abs=1e-4)


@pytest.mark.parametrize("order", domains.ALONE + domains.BOTH)
@pytest.mark.parametrize("coils", [1, 8])
def test_chains_have_equal_parameters(order, coils):
    size = domains.parameters("IIII", coils, domains.WIDTH)
    model = domains.Chain(order, coils, True, size)
    found = sum(p.numel() for p in model.parameters())
    assert found == domains.parameters(order, coils, domains.fitting(order, coils, size))
    assert abs(found - size) < 0.06 * size


def test_a_chain_puts_the_data_back_only_when_it_is_told_to():
    sample = phantom_sample(coils=3)
    y, A = sample.kspace, sample.A
    step = A.H(y)
    for _ in "KI":
        step = step + A.H(y - A(step))
    for consistent, expected in ((True, step), (False, A.H(y))):
        untrained = domains.Chain("KI", 3, consistent, 1000)  # last layers are zero
        assert (untrained(y, A) - expected).abs().max() < 1e-4


def test_an_image_network_sees_the_image_and_a_network_in_kspace_all_coils():
    sample = phantom_sample(coils=3)
    for order, shape in (("I", (1, 2, 32, 32)), ("K", (1, 6, 32, 32))):
        model, seen = domains.Chain(order, 3, False, 1000), []
        net = model.nets[0].net
        assert isinstance(net, nn.Module)
        net.register_forward_pre_hook(lambda module, given, seen=seen: seen.append(given[0].shape))
        model(sample.kspace, sample.A)
        assert seen == [shape]


def test_training_lowers_the_loss_and_is_repeatable():
    samples = [phantom_sample(16, 16, coils=2, seed=seed) for seed in (1, 2)]
    after = []
    for _ in "ab":
        torch.manual_seed(0)
        model = domains.Chain("KI", 2, True, 2000)
        before = sum(model.loss(s).item() for s in samples)
        domains.trained(model, samples, 30)
        after.append(sum(model.loss(s).item() for s in samples))
    assert after[0] == after[1] < 0.9 * before


def test_the_error_is_found_in_its_ring():
    sample = phantom_sample(64, 64)

    class Truth(Reconstructor):
        def forward(self, y, A):
            k = fft2c(sample.image)
            k[:, 32, 32 + 20] += 1  # 20 of 32: the third of four rings
            return ifft2c(k)

    sample = replace(sample, maps=torch.ones_like(sample.maps))  # all of the image is seen
    error = domains.spectrum(Truth(), [sample])
    assert error[2] > 1e-3 and error[[0, 1, 3]].max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("number", [37, 38])
def test_the_experiment_runs(number):
    verdict = experiments.run(number, "ci")
    assert verdict.outcome in ("confirmed", "refuted", "not decided") and math.isfinite(verdict.effect.mean)
    assert EXPERIMENTS[number].section == "2.4"
