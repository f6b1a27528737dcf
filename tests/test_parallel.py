"""GRAPPA, SPIRiT and SENSE unfolding equal their slow definitions, one sample at a time; what they refuse, they say."""

import pytest
import torch
from torch import Tensor

from course_lib.data.phantom import coil_maps, ellipses
from course_lib.errors import CourseError
from course_lib.methods import card
from course_lib.ops import Identity, Sense, fft2c, ifft2c
from course_lib.sampling import poisson, random, uniform
from course_lib.solve import grappa, spirit
from course_lib.solve.gfactor import gfactor, pseudo_replica
from course_lib.solve.unfold import unfold

C = torch.complex128


def scan(coils: int, height: int, width: int, seed: int = 0, noise: float = 0.001) -> Tensor:
    """Full k-space (1, coils, height, width) of an ellipse phantom, complex128."""
    images = coil_maps(coils, height, width).to(C) * ellipses(height, width, seed).to(C)[:, None]
    return fft2c(images) + noise * torch.randn(images.shape, dtype=C)


def slowly_grappa(y: Tensor, have: Tensor, R: int, first: int, kernel: tuple[int, int], lam: float) -> Tensor:
    """GRAPPA of one sample by its definition: every window cut out by hand, zeros beyond the edge of k-space."""
    (coils, height, width), (rows, lines) = y.shape[1:], kernel
    start = max(i for i in range(width // 2) if not have[i]) + 1
    stop = min(i for i in range(width // 2, width) if not have[i])

    def sources(row: int, left: int) -> Tensor:
        """Samples of all coils: `rows` rows around `row`, `lines` lines R apart; `left` is the one left of the gap."""
        window = torch.zeros(coils, rows, lines, dtype=C)
        for i in range(rows):
            for j in range(lines):
                r, c = row + i - rows // 2, left + (j - (lines - 1) // 2) * R
                if 0 <= r < height and 0 <= c < width:
                    window[:, i, j] = y[0, :, r, c]
        return window.flatten()

    S, T = [], []
    for row in range(rows // 2, height - (rows - 1) // 2):
        for left in range(start + (lines - 1) // 2 * R, stop - lines // 2 * R):
            S.append(sources(row, left))
            T.append(y[0, :, row, left + 1 : left + R])
    S, T = torch.stack(S), torch.stack(T).flatten(1)
    ridge = (lam * S.abs().square().sum(0).mean()).sqrt()
    tall = torch.cat([S, ridge * torch.eye(S.shape[1])])
    w = torch.linalg.lstsq(tall, torch.cat([T, torch.zeros(S.shape[1], T.shape[1], dtype=C)])).solution
    full = y.clone()
    for row in range(height):
        for left in range(first - R, width, R):
            predicted = (sources(row, left) @ w).reshape(coils, R - 1)
            for i in range(R - 1):
                if 0 <= left + 1 + i < width and not have[left + 1 + i]:
                    full[0, :, row, left + 1 + i] = predicted[:, i]
    return full


@pytest.mark.parametrize(
    "width, R, first, kernel", [(22, 2, 1, (3, 4)), (23, 3, 0, (5, 2)), (24, 3, 2, (2, 3)), (26, 4, 3, (1, 2))]
)
def test_grappa_is_its_definition(width, R, first, kernel):
    """Any first line, widths that are no multiple of R, kernels of odd and even size."""
    mask = uniform(width, R, 11, first)
    y = scan(3, 9, width) * mask
    slowly = slowly_grappa(y, mask[0, 0, 0] != 0, R, first, kernel, 1e-4)
    assert torch.allclose(grappa.grappa(y, mask, kernel, 1e-4), slowly, atol=1e-8)


@pytest.mark.parametrize("R, limit", [(2, 0.03), (3, 0.06), (4, 0.1)])
def test_grappa_comes_close_to_the_full_scan(R, limit):
    full, mask = scan(8, 64, 64, noise=0.0), uniform(64, R, 20, R - 1)
    k = grappa.grappa(full * mask, mask, lam=1e-6)
    assert (k - full).norm() < limit * full.norm() < (full * mask - full).norm()


def slowly_predicted(k: Tensor, y: Tensor, size: tuple[int, int], kernel: tuple[int, int], lam: float) -> Tensor:
    """G k: for each coil a fit on the centre of `y` without the sample itself, then a sum of moved samples."""
    coils, height, width = y.shape[1:]
    top, left = height // 2 - size[0] // 2, width // 2 - size[1] // 2
    windows = []
    for i in range(size[0] - kernel[0] + 1):
        for j in range(size[1] - kernel[1] + 1):
            windows.append(y[0, :, top + i : top + i + kernel[0], left + j : left + j + kernel[1]].flatten())
    windows, area, middle = torch.stack(windows), kernel[0] * kernel[1], (kernel[0] // 2, kernel[1] // 2)
    ridge = (lam * windows.abs().square().sum(0).mean()).sqrt()
    predicted = torch.zeros_like(k)
    for coil in range(coils):
        own = coil * area + middle[0] * kernel[1] + middle[1]
        others = [i for i in range(coils * area) if i != own]
        tall = torch.cat([windows[:, others], ridge * torch.eye(len(others))])
        w = torch.zeros(coils * area, dtype=C)
        target = torch.cat([windows[:, own], torch.zeros(len(others), dtype=C)])
        w[others] = torch.linalg.lstsq(tall, target[:, None]).solution[:, 0]
        for c, weights in enumerate(w.reshape(coils, *kernel)):
            for i in range(kernel[0]):
                for j in range(kernel[1]):
                    moved = k[0, c].roll((middle[0] - i, middle[1] - j), (0, 1))
                    predicted[0, coil] += weights[i, j] * moved
    return predicted


@pytest.mark.parametrize("kernel", [(3, 3), (3, 5), (4, 3)])
def test_spirits_prediction_is_its_definition(kernel):
    """One inverse serves all coils, and the image-domain matrices are the periodic convolution in k-space."""
    full, mask = scan(3, 15, 16), random(16, 2, 0.5, seed=1)
    k = torch.randn(1, 3, 15, 16, dtype=C)
    w = spirit.calibrate(full * mask, mask, kernel, 1e-4)
    size = spirit.calibration_size(mask.expand(-1, -1, 15, -1))
    assert torch.allclose(spirit.predict(k, w), slowly_predicted(k, full * mask, size, kernel, 1e-4), atol=1e-8)


@pytest.mark.parametrize("mask", [random(12, 2, 0.5, seed=0), poisson((11, 12), 2, calibration=6)])
def test_spirit_solves_for_the_missing_samples(mask):
    """Against the dense least squares problem in the unknown samples alone."""
    y = scan(2, 11, 12) * mask
    w = spirit.calibrate(y, mask, (3, 3), 1e-3)
    free = (mask.expand(1, 2, 11, 12) == 0).flatten().nonzero()[:, 0]
    basis = torch.eye(2 * 11 * 12, dtype=C).reshape(-1, 2, 11, 12)
    off = torch.cat([spirit.predict(one[None], w) - one for one in basis]).flatten(1).mT
    unknown = torch.linalg.lstsq(off[:, free], -(off @ y.flatten())[:, None]).solution[:, 0]
    expected = y.flatten().clone()
    expected[free] = unknown
    k = spirit.spirit(y, mask, (3, 3), 1e-3, iterations=500)
    assert torch.allclose(k.flatten(), expected, atol=1e-5)
    assert (k * mask == y).all()


@pytest.mark.parametrize("R, first", [(2, 0), (2, 1), (3, 1), (4, 3)])
def test_unfolding_is_least_squares(R, first):
    """Against the dense matrix of every row, with noise, so that there is no exact solution."""
    maps = coil_maps(5, 6, 24).to(C)
    A = Sense(uniform(24, R, 0, first), maps)
    y = A.mask * scan(5, 6, 24, noise=0.05)
    basis = torch.eye(6 * 24, dtype=C).reshape(-1, 6, 24)
    dense = torch.cat([A(x[None]) for x in basis]).flatten(1).mT
    for lam in (0.0, 0.1):
        expected = torch.linalg.solve(dense.mH @ dense + lam * torch.eye(144), dense.mH @ y.flatten())
        assert torch.allclose(unfold(y, A.mask, maps, lam).flatten(), expected, atol=1e-8)


@pytest.mark.parametrize("name", ["grappa", "spirit", "sense"])
def test_samples_of_a_batch_may_have_different_masks(name):
    maps, full = coil_maps(4, 24, 24), torch.cat([scan(4, 24, 24), scan(4, 24, 24, seed=1)]).to(torch.complex64)
    mask = torch.cat([uniform(24, 2, 10, 0), uniform(24, 2, 10, 1)])
    model = card(name).build(**card(name).small)
    both = model(full * mask, Sense(mask, maps))
    for i in range(2):
        alone = model(full[i : i + 1] * mask[i : i + 1], Sense(mask[i : i + 1], maps))
        assert torch.allclose(both[i : i + 1], alone, atol=1e-6)


def test_what_cannot_be_done_is_said():
    y, maps = scan(3, 24, 25).to(torch.complex64), coil_maps(3, 24, 25)
    lines, few, none = random(25, 2, 0.3, seed=1), uniform(25, 4, 7), uniform(25, 2)
    points = poisson((24, 25), 3, calibration=12)
    for mask in (lines, points):
        with pytest.raises(CourseError, match="every R-th line.*irregular"):
            grappa.grappa(y * mask, mask)
        with pytest.raises(CourseError, match="every R-th line.*irregular"):
            unfold(y * mask, mask, maps)
    for mask in (few, none):
        with pytest.raises(CourseError, match="grappa: too few calibration lines.*found"):
            grappa.grappa(y * mask, mask)
    with pytest.raises(CourseError, match="spirit: too few calibration lines.*found 24 x 1"):
        spirit.spirit(y * none, none)
    with pytest.raises(CourseError, match="multiple of R = 2; found 25"):
        unfold(y * none, none, maps)
    for name in ("grappa", "spirit", "sense"):
        with pytest.raises(CourseError, match="ops.Sense; found Identity"):
            card(name).build()(y, Identity())


def covariance(coils: int) -> Tensor:
    """A Hermitian positive matrix (1, coils, coils) with correlations."""
    L = torch.randn(coils, coils, dtype=C).tril() / 2 + 2 * torch.eye(coils)
    return (L @ L.mH)[None]


@pytest.mark.parametrize("R, first, coloured", [(2, 1, False), (3, 0, True), (4, 2, True)])
def test_the_g_factor_is_the_noise_of_least_squares(R, first, coloured):
    """Against the covariance matrix of the whole image, with and without correlated noise."""
    maps, P = coil_maps(6, 4, 12).to(C), covariance(6) if coloured else torch.eye(6, dtype=C)[None]
    basis, inverse = torch.eye(4 * 12, dtype=C).reshape(-1, 4, 12), torch.linalg.inv(P[0])
    variance = []
    for mask in (uniform(12, R, 0, first), torch.ones(1, 1, 1, 12)):
        data = torch.cat([Sense(mask, maps)(x[None]) for x in basis])
        weighted = torch.einsum("ij,njhw->nihw", inverse, data)
        fisher = data.flatten(1).conj() @ weighted.flatten(1).mT
        variance.append(torch.linalg.inv(fisher).diagonal().real.reshape(4, 12))
    expected = (variance[0] / variance[1] / R).sqrt()
    g = gfactor(maps, uniform(12, R, 4, first), P if coloured else None)[0]
    assert torch.allclose(g, expected, rtol=1e-6) and g.min() >= 1 - 1e-9 and g.max() > 1.02


def test_g_is_at_least_one_and_not_a_number_where_no_coil_sees():
    maps = torch.randn(2, 5, 6, 12, dtype=C)
    maps[0, :, 2, 3:5] = 0
    g = gfactor(maps, uniform(12, 3))
    assert g[0, 2, 3:5].isnan().all() and g.isnan().sum() == 2 and g[~g.isnan()].min() >= 1 - 1e-9
    assert torch.allclose(gfactor(maps[1:], uniform(12, 3)), g[1:])
    assert torch.allclose(gfactor(maps[1:], uniform(12, 1)), torch.ones(1, 6, 12, dtype=torch.float64))


def test_replicas_measure_the_noise_of_a_linear_reconstruction():
    """Its covariance and the mask count, the data do not; one mixture of coils, so that the truth is known."""
    P, mask, weights = covariance(3), uniform(16, 2), torch.tensor([1, 2j, -1], dtype=C)[:, None, None]

    def reconstruct(k: Tensor) -> Tensor:
        return (weights * ifft2c(k)).sum(1)

    y = scan(3, 16, 16) * mask
    spread = pseudo_replica(reconstruct, y, mask, P, replicas=403, together=100)
    w = weights[:, 0, 0]
    expected = ((w @ P[0] @ w.conj()).real / 2).sqrt()
    assert spread.shape == (1, 16, 16) and abs(spread.mean() / expected - 1) < 0.02
    weights, y = weights.to(torch.complex64), 1e4 * y.to(torch.complex64)
    white = pseudo_replica(reconstruct, y, mask, replicas=403, together=7)
    assert abs(white.mean() / 3**0.5 - 1) < 0.02, "a large signal must not drown the noise in rounding"


def test_formula_and_replicas_agree():
    maps, mask = coil_maps(6, 16, 24).to(C), uniform(24, 3, 0, 1)
    noise = pseudo_replica(lambda y: unfold(y, mask, maps), 0j * maps, mask, replicas=400)
    assert (noise / 3**0.5 / gfactor(maps, mask) - 1).square().mean().sqrt() < 0.04


def test_replicas_measure_the_spread_and_not_the_bias():
    """|n|^2 of white noise has mean 1 and standard deviation 1."""
    y = torch.zeros(1, 1, 16, 16, dtype=C)
    spread = pseudo_replica(lambda k: ifft2c(k)[:, 0].abs().square(), y, torch.ones(1, 1, 1, 16), replicas=400)
    assert abs(spread.mean() - 1) < 0.05
