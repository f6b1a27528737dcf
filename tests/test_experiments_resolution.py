"""Experiments 23 and 24 can go either way: made-up numbers decide them as they should."""

import pytest
import torch

from course_lib.blocks import dense, srcnn
from course_lib.data.phantom import phantom_sample
from course_lib.experiments import resolution
from course_lib.experiments.resolution import NETWORKS, Detour, friedman, gained, improved, silent

NOISE = 0.02 * torch.randn(12, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "gain, outcome", [(1.0, "confirmed"), (-1.0, "refuted"), (0.2, "refuted"), (0.5, "not decided")]
)
def test_the_gain_at_two_and_three_decides_claim_23(gain, outcome):
    gains = torch.tensor([gain + 0.1, gain - 0.1, -9.0, 9.0])[:, None] + NOISE  # what 4 and 6 do does not count
    verdict = gained(gains, 0.3 + 0 * gains)
    assert verdict.outcome == outcome and verdict.effect.mean == pytest.approx(gain, abs=0.02)
    assert "4x -9.0" in verdict.remark and "6x +8.99" in verdict.remark
    assert ("at: 4x." in verdict.remark) == (gain == 1.0)  # where the gain is below half a decibel


@pytest.mark.parametrize(
    "better, outcome", [(1.0, "confirmed"), (-1.0, "refuted"), (0.05, "refuted"), (0.2, "not decided")]
)
def test_blocks_without_the_detour_decide_claim_24(better, outcome):
    level = {"SRCNN": 20.0, "SRCNN with detour": 25.0, "dense blocks": 25 + better, "residual blocks": 25 + better}
    level["residual U-Net"] = 40.0
    psnr = {
        name: value + 0.5 * NOISE + torch.zeros(2, 1) + NOISE.roll(i) for i, (name, value) in enumerate(level.items())
    }
    verdict = improved(psnr, dict.fromkeys(psnr, 7))
    assert verdict.outcome == outcome and verdict.effect.mean == pytest.approx(better, abs=0.03)
    assert "The detour alone brings +5.0" in verdict.remark


def test_the_networks_are_of_almost_equal_size():
    sizes = [sum(p.numel() for p in build().parameters()) for build in NETWORKS.values()]
    assert max(sizes) / min(sizes) < 1.08, sizes


def test_friedman_equals_scipy():
    stats = pytest.importorskip("scipy.stats")
    values = torch.randn(4, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    chi, p = friedman(values)
    expected = stats.friedmanchisquare(*values.numpy())
    assert chi == pytest.approx(expected.statistic) and p == pytest.approx(expected.pvalue)


def test_a_silent_network_with_a_detour_is_sinc_interpolation():
    s = phantom_sample(mask=resolution.low(2))
    x = s.A.H(s.kspace)
    inside = (s.maps != 0).any(1)
    assert (Detour(silent(srcnn()))(s.kspace, s.A) - x * inside).abs().max() < 1e-5
    assert not Detour(silent(srcnn()), around=False)(s.kspace, s.A).any()


def test_dense_units_see_all_units_before_them():
    torch.manual_seed(0)
    net = dense(growth=3, units=4)
    kernels = [tuple(p.shape[:2]) for p in net.parameters() if p.ndim == 4]
    assert kernels == [(6, 2), (3, 6), (3, 9), (3, 12), (3, 15), (2, 18)]
    x = torch.randn(1, 2, 9, 8)
    first = net[0](x)
    assert torch.equal(net[1](first)[:, :6], first) and net(x).shape == x.shape
