"""The metrics are those of the field: scikit-image's SSIM, fastMRI's protocol, and the same inside a region."""

import fastmri.evaluate
import jaxtyping
import numpy as np
import pytest
import torch
from scipy.ndimage import convolve
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from course_lib import metrics
from course_lib.errors import ShapeError

ALL = (metrics.nmse, metrics.nrmse, metrics.psnr, metrics.ssim, metrics.hfen)


def pair(*shape: int) -> tuple[Tensor, Tensor]:
    """A reconstruction and its positive reference; every image has another range."""
    ref = torch.rand(shape) * (1 + torch.rand(shape[:-2])[..., None, None])
    return (ref + 0.1 * torch.randn(shape)).clamp_min(0), ref


def theirs(x: Tensor, ref: Tensor) -> np.ndarray:
    """scikit-image's map of SSIM of one image."""
    x, ref = x.double().numpy(), ref.double().numpy()
    return structural_similarity(x, ref, win_size=7, data_range=ref.max(), full=True)


def test_ssim_is_that_of_scikit_image_in_each_sample():
    x, ref = pair(3, 24, 31)
    assert np.abs(metrics.ssim(x, ref).numpy() - [theirs(*images)[0] for images in zip(x, ref)]).max() < 1e-9


def test_a_volume_is_scored_as_fastmri_does():
    x, ref = pair(1, 4, 24, 31)
    pred, gt = x[0].numpy(), ref[0].numpy()
    assert ref[0].amax((1, 2)).std() > 0.01, "the slices must differ in range"
    for name in ("nmse", "psnr", "ssim"):
        expected = getattr(fastmri.evaluate, name)(gt, pred).item()
        assert getattr(metrics, name)(x, ref).item() == pytest.approx(expected, abs=1e-6)


def test_psnr_and_nrmse_follow_their_formulas():
    x, ref = pair(2, 9, 8)
    for i in range(2):
        expected = peak_signal_noise_ratio(ref[i].numpy(), x[i].numpy(), data_range=ref[i].max().item())
        assert metrics.psnr(x, ref)[i].item() == pytest.approx(expected, abs=1e-5)
        assert metrics.nrmse(x, ref)[i].item() == pytest.approx(((x - ref)[i].norm() / ref[i].norm()).item(), rel=1e-5)


def test_hfen_filters_with_the_laplacian_of_gaussian():
    x, ref = pair(1, 40, 37)
    i, j = np.mgrid[-7:8, -7:8]
    gauss = np.exp(-(i**2 + j**2) / (2 * 1.5**2))
    kernel = gauss * (i**2 + j**2 - 2 * 1.5**2)
    kernel -= kernel.mean()
    error, edges = (convolve(a[0].double().numpy(), kernel, mode="constant") for a in (x - ref, ref))
    assert metrics.hfen(x, ref).item() == pytest.approx(np.linalg.norm(error) / np.linalg.norm(edges), rel=1e-6)


@pytest.mark.parametrize("metric", ALL)
def test_the_magnitude_counts_and_a_batch_is_its_samples(metric):
    x, ref = pair(2, 3, 16, 17)
    phase = torch.polar(torch.ones(()), torch.rand(x.shape))
    both = metric(x, ref)
    assert both.shape == (2,)
    assert torch.allclose(metric(x * phase, ref.to(torch.complex64)), both, rtol=1e-4)
    assert torch.equal(both, torch.cat([metric(x[:1], ref[:1]), metric(x[1:], ref[1:])]))


@pytest.mark.parametrize("metric", ALL)
def test_a_region_is_scored_alone(metric):
    x, ref = pair(2, 40, 42)
    ref[:, 0, 0] = 3.0
    inside = torch.zeros(1, 40, 42, dtype=torch.bool)
    inside[:, 14:26, 14:26] = True
    score = metric(x, ref, inside=inside)
    far = x.clone()
    far[:, :4], far[:, :, -4:] = 5.0, 0.0
    assert torch.equal(metric(far, ref, inside=inside), score), "what is outside, beyond the windows, must not matter"
    near = x.clone()
    near[:, 20, 20] += 1
    assert not torch.allclose(metric(near, ref, inside=inside), score)
    assert torch.allclose(metric(x, ref, inside=torch.ones_like(inside)), metric(x, ref))


def test_a_region_has_the_formula_of_the_whole():
    x, ref = pair(1, 30, 30)
    inside = torch.zeros(1, 30, 30)
    inside[:, 5:20, 8:25] = 1
    a, b = x[:, 5:20, 8:25].double(), ref[:, 5:20, 8:25].double()
    assert metrics.nmse(x, ref, inside).item() == pytest.approx(((a - b).norm() ** 2 / b.norm() ** 2).item())
    expected = 10 * torch.log10(ref.max().double() ** 2 / (a - b).square().mean())
    assert metrics.psnr(x, ref, inside).item() == pytest.approx(expected.item())
    each = theirs(x[0], ref[0])[1]
    assert metrics.ssim(x, ref, inside).item() == pytest.approx(each[5:20, 8:25].mean(), abs=1e-9)


def test_large_and_small_images_keep_their_precision():
    x, ref = pair(1, 16, 16)
    for metric in ALL:
        for scale in (1e-9, 1e9):
            assert torch.allclose(metric(x * scale, ref * scale), metric(x, ref), rtol=1e-5)


def test_wrong_shapes_are_named(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as at run time
    with pytest.raises(ShapeError, match="differ in shape"):
        metrics.nmse(torch.ones(2, 8, 8), torch.ones(1, 8, 8))
    with pytest.raises(ShapeError, match="too small"):
        metrics.ssim(torch.ones(1, 6, 8), torch.ones(1, 6, 8))


def test_a_training_loss_can_use_ssim():
    x, ref = pair(1, 12, 12)
    x.requires_grad_()
    metrics.ssim(x, ref).sum().backward()
    assert x.grad.abs().max() > 0 and x.grad.isfinite().all()
