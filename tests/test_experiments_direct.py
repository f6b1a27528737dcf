"""Experiments 33, 34 and 36 can go either way: planted counts, distances and gains decide them as they should."""

import pytest
import torch

from course_lib import data
from course_lib.blocks import Transform, inverse_fourier, real_matrix
from course_lib.data.pairs import varied
from course_lib.data.phantom import ellipses, phantom_sample
from course_lib.experiments import direct
from course_lib.methods import card
from course_lib.ops import fft2c, ifft2c


def counts(first, second):
    return {name: [f(n) for n in direct.SIZES] for name, f in (("automap", first), ("dautomap", second))}


@pytest.mark.parametrize(
    "first, second, outcome",
    [
        (lambda n: 3 * n**4 + 2 * n**2, lambda n: 16 * n**2, "confirmed"),
        (lambda n: 3 * n**4 + 100 * n**3, lambda n: 16 * n**2, "refuted"),
        (lambda n: 3 * n**4, lambda n: 16 * n**2 + 112_002, "refuted"),
        (lambda n: 3 * n**4, lambda n: n**4, "refuted"),
    ],
    ids=["as claimed", "not quadratic", "convolutions counted", "both quadratic"],
)
def test_slopes_decide_claim_34(first, second, outcome):
    verdict = direct.exact(counts(first, second), direct.SIZES, "nothing")
    assert verdict.outcome == outcome and verdict.effect.low <= verdict.effect.mean <= verdict.effect.high


def test_claim_34_counts_what_the_library_builds():
    assert direct.learned("automap", 64) == 50_339_840 and direct.learned("dautomap", 64) == 65_536


@pytest.mark.parametrize(
    "left, outcome",
    [([0.02, 0.05, 0.04], "confirmed"), ([0.5, 0.6, 0.55], "refuted"), ([0.05, 0.3, 0.04], "not decided")],
)
def test_what_remains_decides_claim_36(left, outcome):
    assert direct.found(torch.tensor(left), torch.tensor([0.5, 0.6]), 1.0).outcome == outcome


def test_the_distance_knows_multiples_and_what_is_not_complex_linear():
    F = inverse_fourier(5)
    other = torch.linalg.qr(torch.randn(5, 5, dtype=torch.complex64))[0]
    assert direct.distance(2j * F, -2 * F, F) < 1e-3
    mixed = direct.distance(F + other, 1j * (F + other), F)
    one = torch.vdot(F.flatten(), (F + other).flatten()).abs() / (F.norm() * (F + other).norm())
    assert mixed == pytest.approx((1 - one.item() ** 2) ** 0.5, abs=1e-3)
    assert direct.distance(F, -1j * F, F) == pytest.approx(1, abs=1e-3)  # W(i x) = -i W(x): nothing in common
    assert direct.distance(F, 0 * F, F) == pytest.approx(0.5**0.5, abs=1e-3)  # blind to imaginary parts


def gains(seen, unseen=0.0, spread=0.0):
    rows = {}
    for d in (0.0, *direct.SEEN, *direct.UNSEEN):
        gain = seen if d in direct.SEEN else unseen
        rows[d] = {"dAUTOMAP": 20 + gain + spread * torch.linspace(-1, 1, 12), "IFFT": torch.full((12,), 20.0)}
    return rows


@pytest.mark.parametrize(
    "rows, outcome",
    [
        (gains(3), "confirmed"),
        (gains(-3, unseen=9), "refuted"),
        (gains(0.1), "refuted"),
        (gains(0.6, spread=5), "not decided"),
    ],
)
def test_gains_at_seen_delays_decide_claim_33(rows, outcome):
    assert direct.mitigated(rows).outcome == outcome


def test_a_delay_reads_between_the_samples():
    """Against sums of waves at the places where samples were read."""
    x, d = ellipses(8, 6), 0.3
    row, column = (torch.arange(n) - n // 2 for n in (8, 6))
    turn = 1 - 2 * (torch.arange(6) % 2)
    place = row[:, None] - d * turn
    waves = torch.exp(
        -2j * torch.pi * (place[..., None, None] * row[:, None] / 8 + (column[:, None, None] * column / 6)[None])
    )
    expected = (waves * x[0]).sum((-2, -1)) / 48**0.5
    k = fft2c(x)[:, None]
    assert torch.allclose(direct.delayed(k, d)[0, 0], expected, atol=1e-4)
    assert torch.allclose(direct.delayed(direct.delayed(k, d), -d), k, atol=1e-5)


def test_the_inverse_transform_that_knows_the_delay_is_best():
    images = torch.cat([ellipses(24, 24, seed) for seed in range(3)])
    psnr = direct.compared({}, images, 0.3)
    assert (psnr["delay known"] > psnr["mean delay known"]).all() and (psnr["mean delay known"] > psnr["IFFT"]).all()
    same = direct.compared({}, images, 0.0)
    assert torch.equal(same["IFFT"], same["delay known"])


def test_pairs_are_what_one_coil_sees_of_moved_images():
    images = torch.cat([ellipses(16, 16, seed) for seed in range(3)])
    mask = torch.tensor([1.0, 0] * 8).reshape(1, 1, 1, -1)
    pairs, again = (data.Pairs(images, mask, batch=2, seed=5) for _ in range(2))
    sample = pairs[0]
    assert len(pairs) == 2 and torch.equal(sample.kspace, again[0].kspace)
    assert not torch.equal(sample.kspace, pairs[0].kspace)  # another draw
    assert torch.allclose(sample.A(sample.image), sample.kspace, atol=1e-5)
    with pytest.raises(IndexError):
        pairs[2]
    noisy = data.Pairs(images, 1 + 0 * mask, batch=64, noise=0.1, seed=5)[0]
    error = (noisy.A.H(noisy.kspace) - noisy.image).abs().square().mean().sqrt()
    clean = data.Pairs(images, 1 + 0 * mask, batch=64, seed=5)[0]
    assert 0.05 < error / clean.image.abs().max() < 0.15


def test_varied_images_keep_their_pixels_and_move():
    images = torch.randn(2, 8, 6, dtype=torch.complex64)
    drawn = varied(images, 20, torch.Generator().manual_seed(0))
    values = [sorted(x.abs().flatten().tolist()) for x in images]
    assert all(sorted(x.abs().flatten().tolist()) in values for x in drawn)
    assert len({tuple(x.abs().flatten().tolist()) for x in drawn}) > 10


def test_coil_images_have_the_phase_of_the_coil():
    sample = phantom_sample(16, 16, coils=1)
    x = data.coil_images([sample, sample])
    assert x.shape == (2, 16, 16) and torch.allclose(fft2c(x[:1])[:, None] * sample.mask, sample.kspace, atol=1e-5)


def test_a_real_matrix_multiplies_as_the_complex_one_does():
    m, x = torch.randn(5, 3, dtype=torch.complex128), torch.randn(3, dtype=torch.complex128)
    y = real_matrix(m) @ torch.cat([x.real, x.imag])
    assert torch.allclose(torch.complex(*y.chunk(2)), m @ x)


def test_a_transform_is_matrices_on_rows_and_columns_and_starts_as_a_rotation():
    x = torch.randn(2, 5, 7, dtype=torch.complex64)
    rows, columns = torch.randn(7, 7, dtype=torch.complex64), torch.randn(5, 5, dtype=torch.complex64)
    transform = Transform(5, 7)
    assert torch.allclose(transform(x).norm(), x.norm())
    assert torch.allclose(transform.become(rows, columns)(x), columns @ x @ rows.mT, atol=1e-4)
    inverse = transform.become(inverse_fourier(7), inverse_fourier(5))
    assert torch.allclose(inverse(x), ifft2c(x), atol=1e-5)


def test_what_is_built_for_one_size_says_so():
    sample = phantom_sample(16, 16)
    for name in ("automap", "dautomap"):
        with pytest.raises(Exception, match=r"expected \(32, 32\).*found \(16, 16\).*size=\(16, 16\)"):
            card(name).build(size=(32, 32), width=2)(sample.kspace, sample.A)


@pytest.mark.slow
@pytest.mark.parametrize("number", [33, 34, 36])
def test_the_experiment_runs(number):
    from course_lib import experiments

    verdict = experiments.run(number, "ci")
    assert verdict.outcome in ("confirmed", "refuted", "not decided") and isinstance(verdict.remark, str)
