"""Losses: worked by hand, of the complex images where they say so, 0 only for the truth."""

import math

import pytest
import torch
from skimage.metrics import structural_similarity

from course_lib import build
from course_lib.blocks import Encoder
from course_lib.data.phantom import ellipses
from course_lib.losses import (
    cross_entropy,
    feature,
    frequency,
    l1,
    least_squares,
    mse,
    normalised,
    relative,
    ssim,
    wasserstein,
)


@pytest.fixture
def truth():
    return torch.cat([ellipses(32, 28, seed) for seed in (0, 1)])


@pytest.mark.parametrize("loss", [mse, l1, ssim, feature(Encoder())])
def test_the_truth_costs_nothing_and_everything_else_does(loss, truth):
    assert loss(truth, truth).abs() < 1e-6 and loss(truth, truth).ndim == 0
    noise = torch.randn_like(truth)
    assert 0 < loss(truth + 0.01 * noise, truth) < loss(truth + 0.1 * noise, truth)


def test_a_known_error_has_a_known_cost(truth):
    x = truth.clone()
    x[0, 3, 4] += 3 + 4j  # of length 5
    assert mse(x, truth).item() == pytest.approx(25 / truth.numel(), rel=1e-4)
    assert l1(x, truth).item() == pytest.approx(5 / truth.numel(), rel=1e-4)


def test_ssim_and_features_are_blind_to_the_phase(truth):
    assert mse(1j * truth, truth) > 0.1 and l1(1j * truth, truth) > 0.1
    assert ssim(1j * truth, truth).abs() < 1e-6 and feature(Encoder())(1j * truth, truth).abs() < 1e-6


def test_one_large_error_costs_more_than_many_small_ones_in_mse_only(truth):
    spread, lump = truth + 0.01, truth.clone()
    lump[0, 5, 5] += 0.01 * truth.numel()
    assert mse(lump, truth) > 100 * mse(spread, truth)
    assert l1(lump, truth).item() == pytest.approx(l1(spread, truth).item(), rel=1e-3)


def test_ssim_is_the_mean_of_scikit_image_s_over_the_batch(truth):
    x = truth + 0.05 * torch.randn_like(truth)
    each = [
        structural_similarity(
            r.abs().double().numpy(), a.abs().double().numpy(), win_size=7, data_range=r.abs().max().item()
        )
        for r, a in zip(truth, x)
    ]
    assert ssim(x, truth).item() == pytest.approx(1 - sum(map(float, each)) / len(each), abs=1e-5)


@pytest.mark.parametrize("loss", [mse, l1, ssim, feature(Encoder())])
def test_a_step_against_the_gradient_helps(loss, truth):
    x = (truth + 0.05 * torch.randn_like(truth)).requires_grad_()
    loss(x, truth).backward()
    assert x.grad is not None and x.grad.isfinite().all()
    step = 1e-3 * x.grad / x.grad.abs().max()
    assert loss(x - step, truth) < loss(x, truth)


def test_the_feature_loss_is_the_relative_squared_error_of_every_layer(truth):
    encoder, x = Encoder(width=4, scales=2).requires_grad_(False), truth.roll(1, -1)
    layers = [(f, w) for f, w in zip(encoder(x.abs()[:, None]), encoder(truth.abs()[:, None]))]
    expected = sum(float((f - w).pow(2).sum() / w.pow(2).sum()) for f, w in layers)
    assert len(layers) == 2 and feature(encoder)(x, truth).item() == pytest.approx(expected, rel=1e-5)


def test_an_empty_truth_has_a_finite_feature_loss(truth):
    assert feature(Encoder())(truth, 0 * truth).isfinite() and feature(Encoder())(0 * truth, 0 * truth) == 0


def test_the_feature_loss_trains_the_image_and_never_its_encoder(truth):
    encoder = Encoder()
    loss, x = feature(encoder), (0.9 * truth).requires_grad_()
    loss(x, truth).backward()
    assert x.grad is not None and x.grad.any()
    assert all(p.grad is None and not p.requires_grad for p in encoder.parameters())


def test_a_method_that_is_trained_with_features_has_no_more_parameters():
    plain, perceptual = build("unet", width=2, depth=1), build("unet", width=2, depth=1, loss=feature(Encoder()))
    assert list(plain.state_dict()) == list(perceptual.state_dict())
    assert len(list(plain.parameters())) == len(list(perceptual.parameters()))


@pytest.mark.parametrize("a", [cross_entropy, least_squares, wasserstein])
def test_a_critic_pays_less_for_scores_that_are_right(a):
    right, wrong = torch.tensor([0.9, 1.1]), torch.tensor([0.1, -0.2])
    assert a(right, 1) < a(wrong, 1) and a(wrong, 0) < a(right, 0)
    assert a(right, 1).ndim == 0


def test_adversarial_losses_worked_by_hand():
    scores = torch.tensor([2.0, -1.0])
    chance = [1 / (1 + math.exp(-2)), 1 / (1 + math.exp(1))]  # to be real
    assert cross_entropy(scores, 1).item() == pytest.approx(-sum(math.log(p) for p in chance) / 2)
    assert cross_entropy(scores, 0).item() == pytest.approx(-sum(math.log(1 - p) for p in chance) / 2)
    assert least_squares(scores, 1).item() == pytest.approx((1 + 4) / 2)
    assert least_squares(scores, 0).item() == pytest.approx((4 + 1) / 2)
    assert wasserstein(scores, 1).item() == pytest.approx(-0.5) and wasserstein(scores, 0).item() == pytest.approx(0.5)


def test_a_hopeless_generator_still_feels_the_cross_entropy():
    """log(1 - D) of the first paper fades where the critic is sure; -log D, the one everybody uses, does not."""
    score = torch.tensor([-20.0], requires_grad=True)
    cross_entropy(score, 1).backward()
    assert score.grad is not None and score.grad.item() == pytest.approx(-1.0, abs=1e-6)
    assert cross_entropy(torch.tensor([-200.0, 200.0]), 1).isfinite()


def test_relative_error_and_magnitudes_in_k_space(truth):
    assert relative(2 * truth, truth).item() == pytest.approx(1, rel=1e-5)
    assert relative(truth, 0 * truth).isfinite()
    sizes = torch.tensor([2.0, 7.0])[:, None, None]  # each sample by its own norm
    assert relative(1.5 * sizes * truth, sizes * truth).item() == pytest.approx(0.5, rel=1e-5)
    shifted = truth.roll((3, 5), (-2, -1))
    assert frequency(shifted, truth) < 1e-6 * frequency(0 * truth, truth)
    energy = truth.abs().square().sum() / len(truth)  # Parseval
    assert frequency(0 * truth, truth).item() == pytest.approx(energy.item(), rel=1e-4)


def test_an_empty_strip_has_a_loss_and_a_gradient():
    """Above the head there is nothing: x = ref = 0, where a root has an infinite slope."""
    x, ref = torch.zeros(2, 4, 5, dtype=torch.complex64).requires_grad_(), torch.zeros(2, 4, 5, dtype=torch.complex64)
    loss = relative(x, ref) + normalised(x, ref)
    loss.backward()
    assert loss == 0 and x.grad is not None and x.grad.isfinite().all()
