"""Networks of one scan: Adam, the layers of RAKI, and noise told from structured error."""

import pytest
import torch
from torch.nn.functional import conv2d

from course_lib import build
from course_lib.blocks import REACH, Interpolator, Residual
from course_lib.check import phantom
from course_lib.data.dataset import Slice
from course_lib.data.phantom import phantom_sample
from course_lib.experiments import scan_specific, scans
from course_lib.experiments.scan_specific import Measured, Setting
from course_lib.methods import card
from course_lib.sampling import uniform
from course_lib.solve import adam, grappa
from course_lib.solve.gfactor import split


def noise(*shape, seed=0):
    return torch.randn(shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


def test_adam_takes_the_steps_of_its_paper():
    p, g, m, v, expected = torch.tensor([1.0, -2.0], requires_grad=True), 0.0, 0.0, 0.0, torch.tensor([1.0, -2.0])
    seen = []
    with torch.no_grad():  # as an evaluation calls it
        adam(lambda: (p**2 * torch.tensor([1.0, 5.0])).sum(), [p], 7, 0.1, watch=seen.append)
    for i in range(1, 8):
        g = 2 * expected * torch.tensor([1.0, 5.0])
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        expected = expected - 0.1 * (m / (1 - 0.9**i)) / ((v / (1 - 0.999**i)).sqrt() + 1e-8)
    assert torch.allclose(p, expected, atol=1e-5) and p.grad is None
    assert len(seen) == 7 and seen[0] == pytest.approx(21) and seen[-1] < seen[0]


def test_adam_leaves_other_gradients_alone():
    p, other = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    adam(lambda: (p * other).square().sum(), [p], 3, 0.1)
    assert other.grad is None and torch.equal(other, torch.ones(2)) and (p < 1).all()


@pytest.mark.parametrize("R", [2, 3, 5])
def test_all_networks_at_once_are_each_of_them_alone(R):
    f, k = Interpolator(3, R - 1, widths=(5, 4), seed=1), noise(2, 3, 20, 16)
    found = f(k, R)
    assert found.shape == (2, R - 1, 3, 14, 16 - 2 * R)
    channels = torch.cat([k.real, k.imag], 1)
    first, second, third = f.layers
    for n in range(6):
        h = conv2d(channels, first[n].reshape(5, 6, 5, 2), dilation=(1, R)).relu()
        h = conv2d(h, second[n].reshape(4, 5, 1, 1)).relu()
        alone = conv2d(h, third[n].reshape(R - 1, 4, 3, 2), dilation=(1, R))
        part = found.real if n < 3 else found.imag
        assert torch.allclose(part[:, :, n % 3], alone, atol=1e-5)


def test_a_guess_depends_on_7_rows_of_3_acquired_lines():
    f, k, one = Interpolator(2, 1), noise(1, 2, 20, 20), torch.zeros(1, 2, 20, 20)
    one[..., 10, 8] = 5  # seen by the windows whose first row is 4 ... 10 and whose first line is 4, 6 or 8
    rows, lines = (f(k + one, 2) - f(k, 2)).abs().sum(2)[0, 0].nonzero().T
    assert {*rows.tolist()} == {*range(4, 11)} and {*lines.tolist()} == {4, 6, 8}


def test_both_branches_of_a_residual_guess_get_a_gradient():
    k = noise(1, 2, 20, 16)
    both = Residual(noise(1, 4, 2, *REACH, seed=3), Interpolator(2, 2))
    assert torch.allclose(both(k, 3), grappa.predict(k, both.weights, 3))  # the networks start at 0
    leaves = [both.weights, both.f.layers[-1]]
    assert all(g.any() for g in torch.autograd.grad(both(k, 3).abs().square().sum(), leaves))


@pytest.mark.parametrize("name", ["raki", "rraki"])
@pytest.mark.parametrize("R, first", [(2, 0), (3, 2)])
def test_gaps_are_filled_where_they_are(name, R, first):
    sample = phantom_sample(48, 48, seed=3, mask=lambda width, seed: uniform(width, R, 20, offset=first))
    x = build(name, **card(name).small)(sample.kspace, sample.A)
    zeros = build("zero_filled")(sample.kspace, sample.A)
    assert (x - sample.image).norm() < 0.8 * (zeros - sample.image).norm()


def test_the_same_scan_gives_the_same_image():
    sample = phantom("raki")
    torch.manual_seed(1)
    first = build("raki", steps=20)(sample.kspace, sample.A)
    torch.manual_seed(2)
    assert torch.equal(first, build("raki", steps=20)(sample.kspace, sample.A))


def test_structure_and_noise_are_told_apart():
    """A reconstruction with a known bias and a known gain for noise, of a scan that has noise itself."""
    bias, gain, trials = 0.7, 1.5, []
    for seed in range(60):
        own = noise(1, 32, 32, seed=seed)
        d = bias + gain * (own + noise(10, 32, 32, seed=1000 + seed))
        trials.append(torch.stack(split(d)))
    structure, variance = torch.stack(trials).mean((0, 2, 3))
    assert structure == pytest.approx(bias**2, abs=0.05)
    assert variance == pytest.approx(gain**2, rel=0.02)


def planted(noise, structure=1.0):
    return Measured(noise * torch.linspace(0.9, 1.1, 30), torch.full((30,), structure))


def test_claims_28_and_31_noise_decides_and_structure_is_told():
    judge = scan_specific.judge
    settings = [Setting(3, 24), Setting(6, 24)]
    assert judge(dict.fromkeys(settings, (planted(2.0), planted(1.0))), "GRAPPA").outcome == "confirmed"
    assert judge(dict.fromkeys(settings, (planted(1.0), planted(2.0))), "GRAPPA").outcome == "refuted"
    assert judge(dict.fromkeys(settings, (planted(1.0), planted(1.0))), "GRAPPA").outcome == "refuted"  # no change
    mixed = {settings[0]: (planted(1.0), planted(2.0)), settings[1]: (planted(4.0), planted(1.0, 9.0))}
    remark = judge(mixed, "GRAPPA").remark
    assert "At the largest R alone +1.39" in remark and "+ 1.00 and" in remark and "+ 3.00" in remark


def test_the_measurement_finds_a_planted_gain_and_a_planted_bias():
    """A guess that returns the truth times `gain`: nothing but a bias, since the guess has no noise."""
    k = 20 * noise(1, 2, 64, 64)
    whole = Slice(k, torch.full_like(k, 0.5**0.5), torch.ones(1, 64, 64, dtype=torch.complex64), (0, 64), None)
    setting = Setting(2, 8)
    lines = setting.mask(64)
    truth = lambda gain: lambda acquired: torch.full((1, 1, 2, 64, acquired.shape[-1] - 2), gain, dtype=k.dtype)
    found = scan_specific.measure(whole, setting, truth(0j), REACH, 30)
    assert found.noise.mean() == pytest.approx(lines.mean().item(), rel=0.05)  # sd sqrt(share), over sqrt(R)
    missing = (whole.kspace * (1 - lines)).abs().square().sum() / 64**2 / 2
    assert found.structure.mean() == pytest.approx(missing.item() * 1.0, rel=0.2)


def test_the_real_scan_is_white_at_every_flip_angle():
    first, last = scans.scanned_head(224, 4, 0), scans.scanned_head(224, 4)
    for whole in (first, last):
        corner = torch.cat([whole.kspace[..., :6, :6], whole.kspace[..., -6:, :6]], -1)
        assert 0.9 < corner.abs().square().mean().sqrt() < 1.7
    alike = (first.maps.conj() * last.maps).sum(1).abs()  # 1 where both find the same maps, but for a phase
    assert alike[alike > 0].median() > 0.9  # the same virtual coils
