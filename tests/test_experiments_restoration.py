"""Experiments 13, 15, 16 and 71 can go either way: planted numbers and planted networks decide them as they should."""

import math

import pytest
import torch

from course_lib import experiments
from course_lib.data.phantom import phantom_sample
from course_lib.experiments import EXPERIMENTS, lesions, restoration, structures, training
from course_lib.losses import l1
from course_lib.methods import Reconstructor, card
from course_lib.sampling import acs, lattice


def near(value, *shape):
    return value + 0.05 * torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize(
    "more, outcome", [(1.0, "confirmed"), (-1.0, "refuted"), (0.0, "refuted"), (0.2, "not decided")]
)
def test_the_gain_decides_claim_15(more, outcome):
    """Three decibels everywhere say nothing; only the difference counts."""
    gains = {"random": near(3 + more, 2, 12), "regular": torch.full((2, 12), 3.0, dtype=torch.float64)}
    verdict = restoration.removed(gains, {"random": torch.full((12,), 0.1), "regular": torch.full((12,), 0.4)})
    assert verdict.outcome == outcome and verdict.effect.mean == pytest.approx(more, abs=0.05)
    assert "random 0.10, regular 0.40, regular minus random +0.30" in verdict.remark


@pytest.mark.parametrize("gain, outcome", [(1.0, "confirmed"), (-1.0, "refuted"), (0.0, "refuted")])
def test_the_artefact_as_target_decides_claim_16(gain, outcome):
    psnr = torch.full((2, 2, 2, 2, 12), 25.0, dtype=torch.float64)
    psnr[..., 1, :] += near(gain, 12)
    assert restoration.better(psnr, (20, 200), 300).outcome == outcome


def test_a_gain_with_random_lines_only_is_told_as_an_interaction():
    psnr = torch.full((2, 2, 2, 2, 12), 25.0, dtype=torch.float64)
    psnr[0, ..., 1, :] += 2
    verdict = restoration.better(psnr, (20, 200), 300)
    assert verdict.effect.mean == pytest.approx(1) and "random minus regular +2.00 [+2.00, +2.00]" in verdict.remark


def test_both_masks_have_a_full_centre_and_as_many_lines():
    for seed in (0, 3, (1, 0, 7)):
        ordered, drawn = restoration.regular(64, seed), restoration.irregular(64, seed)
        assert ordered.sum() == drawn.sum() and ordered.shape == drawn.shape == (1, 1, 1, 64)
        assert lattice(ordered)[0] == 4
        for mask in (ordered, drawn):
            assert acs(mask)[1] - acs(mask)[0] >= 5
    assert not torch.equal(restoration.irregular(64, 1), restoration.irregular(64, 2))


def test_a_ghost_has_a_peak_and_noise_has_none():
    noise = torch.randn(1, 64, 64, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    assert restoration.peak(noise) < 0.1
    assert restoration.peak(noise + noise.roll(16, -1)) == pytest.approx(0.5, abs=0.05)
    assert restoration.peak(noise + noise.roll(16, -2)) < 0.1  # copies go along rows
    assert restoration.peak(noise + noise.roll(2, -1)) < 0.1  # a blur is no ghost


def test_in_a_race_both_networks_learn_and_only_the_residual_one_starts_from_the_image():
    rng = torch.Generator().manual_seed(0)
    truth = torch.randn(4, 2, 16, 16, generator=rng)
    x = truth + 0.01 * torch.randn(4, 2, 16, 16, generator=rng)
    psnr = restoration.race(x, truth, x, truth, steps=16, width=2, seed=0)
    assert psnr.shape == (2, 4) and (psnr[1] > psnr[0]).all()
    assert (restoration.race(x, truth, x, truth, steps=120, width=2, seed=0)[0] > psnr[0]).all()


@pytest.mark.parametrize("more, outcome", [(0.2, "confirmed"), (-0.2, "refuted"), (0.0, "refuted")])
def test_the_smallest_lesions_decide_claim_13(more, outcome):
    found = {name: near(0.5, 12, 3) for name in structures.losses()}
    for name in found:
        if name not in structures.PIXEL:
            found[name][:, 0] += more
            found[name][:, -1] += 9  # what happens to large lesions does not count
    assert structures.paler(found, dict.fromkeys(found, 30.0)).outcome == outcome


@pytest.mark.parametrize("better, outcome", [(0.1, "confirmed"), (-0.1, "refuted"), (0.0, "refuted")])
def test_the_edges_decide_claim_71_and_the_price_is_told(better, outcome):
    hfen = torch.stack([near(0.4, 12), near(0.4, 12) - better])
    psnr = torch.stack([torch.full((12,), 30.0), torch.full((12,), 29.0)])
    verdict = structures.sharper(hfen, psnr, torch.zeros(2, 12, 3))
    assert verdict.outcome == outcome and "PSNR -1.00 [-1.00, -1.00] dB" in verdict.remark


class Part(Reconstructor):
    """It knows the truth of a scan, and gives back a part of what is new."""

    def __init__(self, sample, part):
        super().__init__()
        self.known, self.part = sample, part

    def forward(self, y, A):
        return self.known.image + self.part * A.H(y - A(self.known.image))


@pytest.mark.parametrize("part", [0.0, 0.4, 1.0])
def test_what_a_method_gives_back_of_a_lesion_is_measured(part):
    sample = phantom_sample(32, 32, acceleration=1.0)
    shape = lesions.discs(sample.image, 2.0, seed=0)
    assert lesions.recovered(Part(sample, part), sample, shape) == pytest.approx(part, abs=1e-3)


def test_lesions_lie_in_the_head_apart_from_each_other_and_are_discs():
    image = phantom_sample(64, 64).image
    shape = lesions.discs(image, 2.0, seed=1)
    assert shape.shape == image.shape and shape.max() == 1 and not torch.equal(shape, lesions.discs(image, 2.0, seed=2))
    one = lesions.disc(64, 64, 20, 30, 2.0)
    assert one[20, 30] == 1 and one[20, 33] == 0 and one[20, 32] == one[22, 30] == 0.5
    assert shape.sum().item() == pytest.approx(lesions.COUNT * one.sum().item(), rel=1e-4)  # all of them, all inside
    assert all(lesions.discs(image, 3.0, seed).max() <= 1 for seed in range(12))  # none overlaps another
    assert (image[shape == 1].abs() > 0).all()


def test_a_lesion_is_in_the_data_and_in_the_truth_in_the_phase_of_its_place():
    sample = phantom_sample(32, 32, noise=0.01)
    shape = lesions.disc(32, 32, 16, 16, 2.0)[None]
    ill = lesions.lesioned(sample, shape)
    assert torch.allclose(ill.kspace - sample.kspace, sample.A(ill.image - sample.image), atol=1e-5)
    assert torch.allclose(ill.image.abs() - sample.image.abs(), lesions.CONTRAST * shape, atol=1e-5)


def test_training_samples_have_lesions_of_all_sizes_in_new_places():
    samples = [phantom_sample(32, 32)]
    ill = lesions.Lesioned(samples, (1.0, 4.0))
    added = [(ill[0].image - samples[0].image).abs().sum().item() for _ in range(4)]
    assert len(ill) == 1 and len(set(added)) == 4 and max(added) > 4 * min(added)


def test_a_network_is_taught_by_its_own_loss_and_repeatably():
    def losses():
        torch.manual_seed(0)
        model, sample = card("residual_unet").build(width=2, depth=1, loss=l1), phantom_sample(32, 32)
        before = model.loss(sample).item()
        return before, training.taught(model, [sample], 30).loss(sample).item()

    assert losses() == losses() and losses()[1] < 0.8 * losses()[0]


@pytest.mark.slow
@pytest.mark.parametrize("number", [13, 15, 16, 71])
def test_the_experiment_runs(number):
    verdict = experiments.run(number, "ci")
    assert verdict.outcome in ("confirmed", "refuted", "not decided") and math.isfinite(verdict.effect.mean)
    assert EXPERIMENTS[number].section in ("2", "2.1")
