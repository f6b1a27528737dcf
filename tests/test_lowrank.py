"""Low-rank completion of k-space equals its definitions, written out as slow explicit matrices."""

import pytest
import torch
from torch import Tensor

from course_lib.errors import CourseError, ShapeError
from course_lib.ops import Hankel, fft2c, ifft2c
from course_lib.solve.aloha import WeightedHankel, aloha, derivatives, factors
from course_lib.solve.loraks import Neighbourhoods, loraks

SIZES = [(6, 7), (8, 6), (5, 5)]


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.complex128)


def written_out(k: Tensor, radius: int, phase: bool) -> Tensor:
    """C or S of k-space (coil, height, width), entry by entry; a place has one row, in S two: real and imaginary."""
    coils, height, width = k.shape
    steps = range(-radius, radius + 1)
    taps = [(c, a, b) for c in range(coils) for a in steps for b in steps if a * a + b * b <= radius * radius]
    rows = []
    for i in range(height):
        for j in range(width):
            mirror = 2 * (height // 2) - i, 2 * (width // 2) - j
            here, there = (
                torch.stack([k[c, (m - a) % height, (n - b) % width] for c, a, b in taps]) for m, n in ((i, j), mirror)
            )
            if phase:
                z = torch.cat([here - there.conj(), 1j * (here + there.conj())]) / 2
                rows += [z.real, z.imag]
            else:
                rows.append(here)
    return torch.stack(rows)


@pytest.fixture(params=[True, False], ids=["S", "C"])
def phase(request: pytest.FixtureRequest) -> bool:
    return request.param


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_gram_matrix_of_neighbourhoods(size: tuple, phase: bool):
    k = draw(2, 2, *size)
    found = Neighbourhoods(k, 2, phase).gram()
    for one, gram in zip(k, found):
        matrix = written_out(one, 2, phase)
        assert (gram - matrix.mH @ matrix).abs().max() < 1e-10 * gram.abs().max()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_penalty_is_what_filters_leave(size: tuple, phase: bool):
    k, coils = draw(2, 2, *size), 2
    matrix = Neighbourhoods(k, 1, phase)
    vectors = torch.linalg.qr(torch.randn(2, matrix.unknowns, 4, dtype=matrix.gram().dtype))[0]
    penalty, weight = matrix.penalty(vectors @ vectors.mH)
    filtered = torch.stack([written_out(one, 1, phase) @ v for one, v in zip(k, vectors)])
    assert torch.allclose((k.conj() * penalty(k)).sum((1, 2, 3)).real, filtered.abs().square().sum((1, 2)))
    other = draw(*k.shape)
    assert torch.allclose((other.conj() * penalty(k)).sum().real, (penalty(other).conj() * k).sum().real)
    one = torch.zeros_like(k)
    mean = 0.0
    for unit in (1, 1j):
        for c in range(coils):
            one[:, c, 1, 2] = unit
            mean += (one.conj() * penalty(one)).sum().real.item() / len(k) / coils / 2
            one[:, c, 1, 2] = 0
    assert mean == pytest.approx(weight)


def test_both_matrices_of_one_image_of_one_coil(phase: bool):
    """With one tap there is one filter: C holds the energy of k, S what is imaginary in the image."""
    k = draw(1, 1, 6, 7)
    gram = Neighbourhoods(k, 0, phase).gram()
    x = torch.fft.ifft2(torch.fft.ifftshift(k, (-2, -1)), norm="ortho")
    image = torch.fft.fftshift(x, (-2, -1))
    energy = image.imag.square().sum() if phase else image.abs().square().sum()
    assert gram[0, 0, 0].real == pytest.approx(energy.item())


def tail(k: Tensor, rank: int, phase: bool) -> Tensor:
    """What a matrix of this rank cannot hold, by singular values of the explicit matrix."""
    return torch.stack([torch.linalg.svdvals(written_out(one, 1, phase))[rank:].square().sum() for one in k])


def test_loraks_lowers_its_objective_to_a_stationary_point(phase: bool):
    mask = (torch.rand(1, 1, 6, 7, dtype=torch.float64) > 0.4).double()
    y, rank, lam, found = mask * draw(1, 2, 6, 7), 5, 0.3, []

    def objective(k: Tensor) -> Tensor:
        return (mask * k - y).abs().square().sum() + lam * tail(k, rank, phase).sum()

    k = loraks(y, mask, rank, lam, 1, phase, 40, 10, watch=lambda k, i: found.append(objective(k)))
    assert all(after <= before * (1 + 1e-9) for before, after in zip([objective(y), *found], found))
    at = k.clone().requires_grad_()
    assert torch.autograd.grad(objective(at), at)[0].abs().max() < 1e-2 < y.abs().max()


def test_a_batch_of_two_is_two_batches_of_one(phase: bool):
    mask = (torch.rand(2, 1, 1, 9, dtype=torch.float64) > 0.3).double()
    y = mask * draw(2, 2, 8, 9)
    both = loraks(y, mask, 6, 0.1, 1, phase)
    for i in range(2):
        assert (both[i] - loraks(y[i : i + 1], mask[i : i + 1], 6, 0.1, 1, phase)[0]).abs().max() < 1e-9


def test_missing_samples_are_found_when_the_rank_is_known():
    """An image of three pixels: C has rank three, and half of the samples determine it."""
    image = torch.zeros(1, 1, 12, 12, dtype=torch.complex128)
    image[0, 0, [2, 5, 9], [3, 8, 4]] = draw(3)
    k = torch.fft.fft2(image)
    mask = (torch.rand(1, 1, 12, 12, dtype=torch.float64) > 0.5).double()
    found = loraks(mask * k, mask, 3, 1e-4, 2, False, 60)
    assert (found - k).norm() < 1e-2 * k.norm()


@pytest.mark.parametrize("rank, lam, radius", [(0, 1.0, 1), (3, 0.0, 1), (3, -1.0, 1), (3, 1.0, 4)])
def test_loraks_refuses(rank: int, lam: float, radius: int):
    with pytest.raises(CourseError, match="rank|k-space"):
        loraks(draw(1, 1, 6, 8), torch.ones(1, 1, 6, 8, dtype=torch.float64), rank, lam, radius)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_hankel_is_its_windows(size: tuple):
    k, H = draw(2, 3, *size), Hankel(size, (2, 3))
    rows = [
        torch.stack([k[1, c, i + a, j + b] for c in range(3) for a in range(2) for b in range(3)])
        for i in range(size[0] - 1)
        for j in range(size[1] - 2)
    ]
    assert torch.equal(H(k)[1], torch.stack(rows))
    assert torch.allclose(H.windows_at(k), H.H(H(torch.ones_like(k)))[0, 0].real)


def test_hankel_refuses_a_kernel_larger_than_k_space():
    with pytest.raises(ShapeError, match="kernel larger"):
        Hankel((4, 8), (5, 2))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_weighted_windows(size: tuple):
    """The adjoint, the normal operator, and the weights: k-space of the differences to the next row and column."""
    k, other = draw(2, 3, *size), Hankel(size, (2, 3))
    A = WeightedHankel(other, derivatives(k))
    y = draw(*A(k).shape)
    assert (
        abs(torch.vdot(A(k).flatten(), y.flatten()) - torch.vdot(k.flatten(), A.H(y).flatten())) < 1e-10 * y.norm() ** 2
    )
    assert torch.allclose(A.N(k), A.H(A(k)))
    image = ifft2c(k)
    differences = [image.roll(-1, axis) - image for axis in (-2, -1)]
    assert torch.allclose(A(k), torch.cat([other(fft2c(d)) for d in differences], 1))


def test_the_start_is_the_best_fit_of_its_rank():
    X = draw(2, 9, 6)
    U, V, largest = factors(X, 2)
    left, sigma, right = torch.linalg.svd(X, full_matrices=False)
    assert torch.allclose(U @ V.mH, left[..., :2] * sigma[:, None, :2] @ right[:, :2])
    assert torch.allclose(U.mH @ U, V.mH @ V) and torch.allclose(largest.flatten(), sigma[:, 0])


def test_one_step_of_aloha_as_the_paper_writes_it():
    """Algorithm 1 with its multipliers kept apart; the weights are 0 in the centre only, which is acquired."""
    mask = (torch.rand(1, 1, 6, 7, dtype=torch.float64) > 0.5).double()
    mask[..., 3, 3] = 1
    y, rank, found = mask * draw(1, 2, 6, 7), 3, []
    A = WeightedHankel(Hankel((6, 7), (2, 2)), derivatives(y))
    (U, V, largest), L = factors(A(y), rank), torch.zeros_like(A(y))
    mu, one = 5.0 / largest, torch.eye(rank, dtype=y.dtype)
    aloha(y, mask, rank, 5.0, 2, 4, watch=lambda k, i: found.append(k))
    basis = torch.eye(y.numel(), dtype=y.dtype).reshape(-1, *y.shape[1:])
    matrix = A(basis).flatten(1).mT  # of the windows, explicit
    missing = (1 - mask).expand_as(y).flatten() > 0
    for i in range(4):
        wanted = (U @ V.mH - L - A(y)).flatten()
        k = y.flatten().clone()
        k[missing] = torch.linalg.lstsq(matrix[:, missing], wanted[:, None]).solution[:, 0]
        k = k.reshape(y.shape)
        U = mu * (A(k) + L) @ V @ torch.linalg.inv(one + mu * V.mH @ V)
        V = mu * (A(k) + L).mH @ U @ torch.linalg.inv(one + mu * U.mH @ U)
        L = A(k) - U @ V.mH + L
        assert torch.allclose(found[i], k, atol=1e-8)


def test_aloha_finds_an_image_of_one_rectangle():
    """Its differences are turned to 0 by filters of 3 x 3 taps, so a third of the samples is enough."""
    image = torch.zeros(1, 1, 16, 16, dtype=torch.complex128)
    image[..., 4:11, 5:13] = 1j
    k = fft2c(image)
    mask = (torch.rand(1, 1, 16, 16, dtype=torch.float64) > 0.6).double()
    mask[..., 6:11, 6:11] = 1
    found = aloha(mask * k, mask, 16, 1000.0, 5, 150)
    assert (found - k).norm() < 0.02 * k.norm() < 0.2 * (mask * k - k).norm()


def test_aloha_on_a_batch_of_two_is_two_batches_of_one():
    mask = (torch.rand(2, 1, 1, 9, dtype=torch.float64) > 0.3).double()
    y = mask * draw(2, 2, 8, 9)
    both = aloha(y, mask, 4, 10.0, 3)
    for i in range(2):
        assert (both[i] - aloha(y[i : i + 1], mask[i : i + 1], 4, 10.0, 3)[0]).abs().max() < 1e-9


@pytest.mark.parametrize("rank, mu, kernel", [(0, 1.0, 3), (10, 1.0, 3), (3, 0.0, 3), (3, 1.0, 7)])
def test_aloha_refuses(rank: int, mu: float, kernel: int):
    with pytest.raises(CourseError, match="rank|kernel"):
        aloha(draw(1, 1, 6, 8), torch.ones(1, 1, 6, 8, dtype=torch.float64), rank, mu, kernel)


def test_lines_are_differentiated_along_the_width_only():
    mask = (torch.arange(9) % 3 > 0).double()[None, None, None]
    mask[..., 4] = 1
    y = mask * draw(1, 2, 8, 9)
    lines, plane = (aloha(y, m, 4, 10.0, 3, 3) for m in (mask, mask.expand(-1, -1, 8, -1)))
    width_only = WeightedHankel(Hankel((8, 9), (3, 3)), derivatives(y)[1:])
    U, V, _ = factors(width_only(y), 4)
    first = aloha(y, mask, 4, 10.0, 3, 1)
    fit = width_only.H(U @ V.mH) / width_only.energy(y).clamp_min(1e-9)
    assert torch.allclose(first, y + (1 - mask) * fit) and not torch.allclose(lines, plane)
