"""Linear operators: each is linear, has its true adjoint and gradient, and treats every sample on its own."""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from course_lib.errors import ShapeError
from course_lib.ops import (
    Coils,
    Compose,
    FiniteDifference,
    Fourier,
    Hankel,
    Identity,
    LinearOperator,
    Mask,
    Sense,
    Stack,
    Sum,
    TimeDifference,
    Wavelet,
    fft2c,
    ifft2c,
    normal,
)
from course_lib.ops.sparse import daubechies

COILS = 3


class Case(NamedTuple):
    """`make(lead, size)` gives an operator for inputs (*lead, *size); `into` maps that shape to the output's."""

    make: Callable[[tuple, tuple], LinearOperator]
    into: Callable[[tuple], tuple]


def draw(*shape: int, dtype: torch.dtype = torch.complex128) -> Tensor:
    return torch.randn(shape, dtype=dtype)


def coil_maps(batch: int, lead: tuple, size: tuple) -> Tensor:
    return draw(batch, COILS, *(1 for _ in lead[1:]), *size)


def lines(batch: int, lead: tuple, size: tuple) -> Tensor:
    return (torch.rand(batch, 1, *lead[1:], 1, size[1], dtype=torch.float64) > 0.5).double()


def full_height(batch: int, lead: tuple, size: tuple) -> Tensor:
    return lines(batch, lead, size).expand(-1, -1, *lead[1:], *size).clone()


def dots(batch: int, lead: tuple, size: tuple) -> Tensor:
    return (torch.rand(batch, 1, *lead[1:], *size, dtype=torch.float64) > 0.5).double()


def comb(batch: int, lead: tuple, size: tuple) -> Tensor:
    """Every third line, from another offset in each sample."""
    offset = torch.arange(batch * int(np.prod(lead[1:]))).view(batch, 1, *lead[1:], 1, 1)
    return ((torch.arange(size[1]) - offset) % 3 == 1).double()


def everything(batch: int, lead: tuple, size: tuple) -> Tensor:
    return torch.ones(1, 1, *(1 for _ in lead[1:]), 1, size[1], dtype=torch.float64)


def weighted(batch: int, lead: tuple, size: tuple) -> Tensor:
    return torch.rand(batch, 1, *lead[1:], 1, size[1], dtype=torch.float64)


MASKS = [lines, full_height, dots, comb, everything, weighted]


def sense(mask: Callable, own: bool = False) -> Case:
    """Sense with one mask and one set of maps for all samples, or an own one for each."""
    batch = lambda lead: lead[0] if own else 1
    return Case(lambda lead, size: Sense(mask(batch(lead), lead, size), coil_maps(batch(lead), lead, size)), to_coils)


def to_coils(shape: tuple) -> tuple:
    return (shape[0], COILS, *shape[1:])


def same(shape: tuple) -> tuple:
    return shape


def windows(lead: tuple, size: tuple) -> LinearOperator:
    """Hankel of k-space (batch, coil, height, width); an extra axis is its coils, without one it has coil maps."""
    hankel = Hankel((size[0], size[1]), (3, 4))
    return hankel if len(lead) == 2 else hankel @ Coils(coil_maps(1, lead, size))


OPERATORS: dict[str, Case] = {
    "Identity": Case(lambda lead, size: Identity(), same),
    "Fourier": Case(lambda lead, size: Fourier(), same),
    "Coils": Case(lambda lead, size: Coils(coil_maps(1, lead, size)), to_coils),
    "Mask": Case(lambda lead, size: Mask(dots(1, lead, size)[:, 0]), same),
    "Hankel": Case(windows, lambda shape: (shape[0], (shape[-2] - 2) * (shape[-1] - 3), COILS * 12)),
    "TimeDifference": Case(lambda lead, size: TimeDifference(), lambda shape: (shape[0], 1, *shape[1:])),
    "TimeDifference in space, too": Case(
        lambda lead, size: TimeDifference(space=0.3), lambda shape: (shape[0], 3, *shape[1:])
    ),
    "FiniteDifference": Case(lambda lead, size: FiniteDifference(), lambda shape: (shape[0], 2, *shape[1:])),
    "Wavelet": Case(lambda lead, size: Wavelet(2), same),
    "Adjoint": Case(lambda lead, size: Fourier().H, same),
    "Normal": Case(lambda lead, size: Sense(lines(1, lead, size), coil_maps(1, lead, size)).N, same),
    "Compose": Case(lambda lead, size: Fourier() @ Coils(coil_maps(1, lead, size)), to_coils),
    "Sum": Case(lambda lead, size: Sum(Fourier(), Wavelet(1)), same),
    "Stack": Case(
        lambda lead, size: Stack((Coils(coil_maps(1, lead, size)), FiniteDifference()), (COILS, 2)),
        lambda shape: (shape[0], COILS + 2, *shape[1:]),
    ),
    **{f"Sense-{mask.__name__}": sense(mask) for mask in MASKS},
    **{f"Sense-{mask.__name__}-own": sense(mask, own=True) for mask in MASKS},
}
SIZES = [(16, 18), (17, 21)]  # even and odd; both widths hold whole combs of every third line
LEADS = [(1,), (2,), (2, 3)]  # batch, and batch with an extra axis (time or slice)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads only wait for each other on arrays this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=OPERATORS)
def case(request: pytest.FixtureRequest) -> Case:
    return OPERATORS[request.param]


@pytest.fixture(params=LEADS, ids=str)
def lead(request: pytest.FixtureRequest) -> tuple:
    return request.param


@pytest.fixture(params=SIZES, ids=str)
def size(request: pytest.FixtureRequest) -> tuple:
    return request.param


def close(a: Tensor, b: Tensor, tolerance: float = 1e-10) -> bool:
    """Same shape, and no difference beyond `tolerance` of the largest value."""
    assert a.shape == b.shape
    return bool((a - b).abs().max() <= tolerance * b.abs().max())


def test_is_linear(case: Case, lead: tuple, size: tuple):
    A, x, z = case.make(lead, size), draw(*lead, *size), draw(*lead, *size)
    assert close(A((2 - 1j) * x + z), (2 - 1j) * A(x) + A(z))


def test_adjoint(case: Case, lead: tuple, size: tuple):
    A, x = case.make(lead, size), draw(*lead, *size)
    y = draw(*case.into(x.shape))
    Ax, AHy = A(x), A.H(y)
    assert Ax.shape == y.shape and AHy.shape == x.shape
    assert Ax.dtype == AHy.dtype == torch.complex128
    left, right = torch.vdot(Ax.flatten(), y.flatten()), torch.vdot(x.flatten(), AHy.flatten())
    assert abs(left - right) <= 1e-10 * Ax.norm() * y.norm()


def test_gradient_is_the_adjoint(case: Case, lead: tuple, size: tuple):
    A, x = case.make(lead, size), draw(*lead, *size)
    y = draw(*case.into(x.shape))
    for operator, at, other in ((A, x, y), (A.H, y, x), (A.N, x, draw(*x.shape))):
        at = at.clone().requires_grad_()
        gradient = torch.autograd.grad(torch.vdot(other.flatten(), operator(at).flatten()).real, at)[0]
        assert close(gradient, operator.H(other))


def test_normal_operator(case: Case, lead: tuple, size: tuple):
    A, x = case.make(lead, size), draw(*lead, *size)
    assert close(A.N(x), A.H(A(x)))
    assert A.N(x).dtype == x.dtype
    assert close(A.N(x), A.N(x)), "a second call must find what the first prepared unchanged"


def test_every_sample_on_its_own(case: Case, size: tuple):
    lead = (2, 3)
    A, x = case.make(lead, size), draw(*lead, *size)
    y = draw(*case.into(x.shape))
    for operator, at in ((A, x), (A.H, y), (A.N, x)):
        changed = at.clone()
        changed[1] = draw(*at.shape[1:])
        assert torch.equal(operator(changed)[0], operator(at)[0])
        assert not torch.equal(operator(changed)[1], operator(at)[1])


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("own_mask", [True, False])
@pytest.mark.parametrize("own_maps", [True, False])
@pytest.mark.parametrize("frames", [(), (3,)])
def test_a_batch_of_two_is_two_batches_of_one(mask: Callable, own_mask: bool, own_maps: bool, frames: tuple):
    lead, size = (2, *frames), (6, 9)
    masks, maps = mask(1 + own_mask, lead, size), coil_maps(1 + own_maps, lead, size)
    x = draw(*lead, *size)
    y = Sense(masks, maps)(x)
    for i in range(2):
        pick = lambda a, i=i: a[i : i + 1] if len(a) > 1 else a
        A = Sense(pick(masks), pick(maps))
        assert close(Sense(masks, maps)(x)[i : i + 1], A(x[i : i + 1]))
        assert close(Sense(masks, maps).H(y)[i : i + 1], A.H(y[i : i + 1]))
        assert close(Sense(masks, maps).N(x)[i : i + 1], A.N(x[i : i + 1]))


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_sense_is_mask_fourier_coils(mask: Callable, size: tuple):
    masks, maps, x = mask(2, (2,), size), coil_maps(2, (2,), size), draw(2, *size)
    A, parts = Sense(masks, maps), Mask(masks) @ Fourier() @ Coils(maps)
    y = draw(*to_coils(x.shape))
    assert close(A(x), parts(x)) and close(A.H(y), parts.H(y)) and close(A.N(x), parts.N(x))
    assert A.mask is masks and A.maps is maps
    moved = A.to("cpu")
    assert isinstance(moved, Sense) and torch.equal(moved(x), A(x))


@pytest.mark.parametrize("size", [(4, 4), (4, 3)], ids=str)
@pytest.mark.parametrize("mask", MASKS)
def test_sense_is_its_matrix(mask: Callable, size: tuple):
    """E[(coil, u), m] = mask[u] exp(-2 pi i (u - n // 2)(m - n // 2) / n) / sqrt(n) maps[coil, m], along both axes."""
    masks, maps, x = mask(1, (1,), size), coil_maps(1, (1,), size), draw(1, *size)
    rows, columns = (np.exp(-2j * np.pi * np.outer(np.arange(n) - n // 2, np.arange(n) - n // 2) / n) for n in size)
    fourier = torch.from_numpy(np.kron(rows, columns) / np.sqrt(size[0] * size[1]))
    selected = masks.expand(1, 1, *size).reshape(-1, 1)
    E = torch.cat([selected * fourier * maps[0, c].flatten() for c in range(COILS)])
    A, y = Sense(masks, maps), draw(1, COILS, *size)
    assert close(A(x).flatten(), E @ x.flatten())
    assert close(A.H(y).flatten(), E.mH @ y.flatten())
    assert close(A.N(x).flatten(), E.mH @ E @ x.flatten())


@pytest.mark.parametrize("size", [(8, 8), (7, 8), (5, 9), (1, 6)], ids=str)
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_fourier_equals_numpy(size: tuple, dtype: torch.dtype):
    x = draw(2, 3, *size, dtype=dtype)
    shifted = np.fft.ifftshift(x.numpy(), axes=(-2, -1))
    expected = np.fft.fftshift(np.fft.fft2(shifted, norm="ortho"), axes=(-2, -1))
    tolerance = 1e-5 if dtype == torch.complex64 else 1e-12
    assert fft2c(x).dtype == dtype
    assert close(fft2c(x), torch.from_numpy(expected).to(dtype), tolerance)
    assert close(ifft2c(fft2c(x)), x, tolerance)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("cache", [1, 110, 250, 700])
def test_the_blocks_of_the_normal_operator_cover_everything(mask: Callable, own: bool, cache: int, monkeypatch):
    """Tiny caches: one row or coil at a time, an incomplete last block, several samples in one block."""
    monkeypatch.setattr(normal, "CACHE", cache)
    A, x = sense(mask, own).make((3,), (5, 7)), draw(3, 5, 7)
    assert close(A.N(x), A.H(A(x)))


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("double", ["mask", "maps", "x", "none"])
def test_one_array_in_double_precision(mask: Callable, double: str):
    """Single and double precision may meet; the result is as if nothing had a short cut."""
    size = (5, 6)
    single = {
        "mask": mask(1, (1,), size).float(),
        "maps": coil_maps(1, (1,), size).cfloat(),
        "x": draw(1, *size).cfloat(),
    }
    arrays = {k: a.to(torch.promote_types(a.dtype, torch.float64)) if k == double else a for k, a in single.items()}
    A = Sense(arrays["mask"], arrays["maps"])
    fast, plain = A.N(arrays["x"]), A.H(A(arrays["x"]))
    assert fast.dtype == plain.dtype and close(fast, plain, 1e-5)
    assert close(A.N(arrays["x"].real), A.N(arrays["x"].real + 0j), 1e-5)
    assert close(A(arrays["x"].real), A(arrays["x"].real + 0j), 1e-5)


@pytest.mark.parametrize("mask", MASKS)
def test_gradients_reach_the_maps(mask: Callable):
    """The short cuts of A.N hold the maps fixed; with maps (or a mask) to learn, they must be left."""
    size = (4, 6)
    masks, maps, x = mask(2, (2,), size), coil_maps(2, (2,), size).requires_grad_(), draw(2, *size)
    parts = Mask(masks) @ Fourier() @ Coils(maps)
    for ours, plain in ((Sense(masks, maps).N, parts.N), (Sense(masks, maps), parts)):
        gradients = [torch.autograd.grad(A(x).abs().square().sum(), maps)[0] for A in (ours, plain)]
        assert close(*gradients)
    learned = masks.clone().requires_grad_()
    gradients = [torch.autograd.grad(A.N(x).abs().square().sum(), learned)[0] for A in (
        Sense(learned, maps.detach()), Mask(learned) @ Fourier() @ Coils(maps.detach()))]  # fmt: skip
    assert close(*gradients)


def test_one_operator_serves_inference_then_training():
    """What A.N keeps from a call under inference_mode must not break a later backward pass."""
    A, x = Sense(lines(1, (1,), (6, 9)), coil_maps(1, (1,), (6, 9))), draw(1, 6, 9)
    with torch.inference_mode():
        A.N(x), A.H(A(x)), Wavelet()(draw(1, 32, 32))
    x.requires_grad_()
    (A.N(x) + A.H(A(x))).abs().sum().backward()
    assert x.grad is not None and x.grad.abs().max() > 0
    z = draw(1, 32, 32).requires_grad_()
    Wavelet()(z).abs().sum().backward()


def test_maps_that_an_operator_holds_are_not_changed():
    for mask in MASKS:
        masks, maps, x = mask(2, (2,), (6, 9)), coil_maps(2, (2,), (6, 9)), draw(2, 6, 9)
        before = [a.clone() for a in (masks, maps, x)]
        A = Sense(masks, maps)
        A.N(x), A.H(A(x))
        assert all(torch.equal(a, b) for a, b in zip((masks, maps, x), before))


def test_operators_are_immutable(case: Case):
    A = case.make((1,), SIZES[0])
    for name in ("maps", "mask", "A", "anything", *vars(A)):
        with pytest.raises(AttributeError):
            setattr(A, name, None)


def test_algebra():
    A, B = Fourier(), Coils(coil_maps(1, (1,), (4, 4)))
    x, y = draw(1, 4, 4), draw(1, COILS, 4, 4)
    assert A.H.H is A and (A @ B).H.H(x).shape == y.shape
    N = (A @ B).N
    assert N.H is N
    assert close((A @ B).H(y), (B.H @ A.H)(y))
    assert close((A @ B)(x), A(B(x)))
    assert isinstance(A @ B, Compose)


@pytest.mark.parametrize(
    ("mask", "maps", "words"),
    [((1, 1, 1, 9), (1, 3, 6, 8), "width is 9 in mask but 8 in maps"), ((2, 1, 6, 9), (3, 3, 6, 9), "batch"),
     ((1, 1, 9), (1, 3, 6, 9), "axes")],
)  # fmt: skip
def test_sense_names_the_axis_that_does_not_fit(mask: tuple, maps: tuple, words: str):
    with pytest.raises(ShapeError, match=words):
        Sense(torch.ones(mask), torch.ones(maps, dtype=torch.complex64))


def test_finite_differences_are_numpys():
    x = draw(1, 2, 5, 4)
    y = FiniteDifference()(x)[0]
    assert torch.equal(y[0, :, :-1], torch.from_numpy(np.diff(x[0].numpy(), axis=-2)))
    assert torch.equal(y[1, :, :, :-1], torch.from_numpy(np.diff(x[0].numpy(), axis=-1)))
    assert not y[0, :, -1].any() and not y[1, :, :, -1].any()


def test_db4_is_orthonormal_with_four_vanishing_moments():
    low = daubechies(4)
    high = low[::-1] * (-1) ** np.arange(8)
    for shift in range(4):
        assert abs(np.dot(low[2 * shift :], low[: 8 - 2 * shift]) - (shift == 0)) < 1e-12
    for power in range(4):
        assert abs(np.sum(high * np.arange(8.0) ** power)) < 1e-9
    assert abs(np.sum(high * np.arange(8.0) ** 4)) > 1
    assert abs(low[0] - 0.230377813308896) < 1e-12  # Daubechies, Ten Lectures on Wavelets, table 6.1


@pytest.mark.parametrize("size", [(64, 64), (48, 80), (41, 58), (16, 9), (5, 7), (218, 170)], ids=str)
@pytest.mark.parametrize("levels", [1, 4])
def test_wavelets_are_orthonormal(size: tuple, levels: int):
    x, W = draw(2, *size), Wavelet(levels)
    assert close(W.H(W(x)), x, 1e-12) and close(W(W.H(x)), x, 1e-12)
    assert abs(W(x).norm() / x.norm() - 1) < 1e-12


def test_wavelets_make_smooth_images_sparse():
    """A cubic polynomial has no details, away from where the image wraps; all its energy is in the coarse block."""
    W, n = Wavelet(3), 64
    t = torch.linspace(-1, 1, n, dtype=torch.float64)
    y = W((t**3 - t)[None, :, None] * (1 + t**2)[None, None, :] + 0j)
    assert W.coarse(y.shape) == (8, 8)
    details = y[0, n // 2 : n // 2 + 24, : n // 2]  # finest, vertical
    assert details.abs().max() < 1e-12 and y[0, :8, :8].norm() > 0.9 * y.norm()


def test_wavelet_coefficients_do_not_depend_on_the_block_length():
    """Sizes take different blocks; away from the edges each coefficient is the plain sum of eight pixels."""
    low = torch.from_numpy(daubechies(4).copy()).to(torch.complex128)
    for n in (64, 34, 46, 96):
        x = draw(1, n, n)
        y = Wavelet(1)(x)
        for i in (0, 3, n // 2 - 4):
            expected = (low[:, None] * x[0, 2 * i : 2 * i + 8, :8] * low).sum()
            assert abs(y[0, i, 0] - expected) < 1e-12


def fastest(runs: int, *calls: Callable[[], object]) -> list[float]:
    """The least processor time of each call, in turn, on one thread: other work on the machine hardly counts."""
    best = [float("inf")] * len(calls)
    for _ in range(runs):
        for i, call in enumerate(calls):
            start = time.thread_time()
            call()
            best[i] = min(best[i], time.thread_time() - start)
    return best


@pytest.mark.parametrize(("mask", "axes", "goal"), [(lines, (-1,), 1.25), (dots, (-2, -1), 1.3), (comb, (-1,), 0.5)])
def test_the_normal_operator_costs_little_more_than_its_ffts(mask: Callable, axes: tuple, goal: float):
    """The goal, with a slack of one half; for combs, no FFT at all."""
    size, coils = (320, 324), 8  # a width that FFTs like, of whole combs
    maps, x = draw(1, coils, *size, dtype=torch.complex64), draw(1, *size, dtype=torch.complex64)
    A, pieces = Sense(mask(1, (1,), size).float(), maps), maps[0].split(2)
    bare = lambda: [torch.fft.ifftn(torch.fft.fftn(piece, dim=axes), dim=axes) for piece in pieces]
    A.N(x), bare()
    with torch.no_grad():
        for _ in range(4):  # a burst of other work may spoil one round
            ours, ffts = fastest(8, lambda: A.N(x), bare)
            if ours < 1.5 * goal * ffts:
                return
    assert ours < 1.5 * goal * ffts, f"{ours / ffts:.2f} times the bare FFTs"


@pytest.mark.gpu
def test_on_a_gpu(case: Case):
    lead, size = (2, 3), SIZES[1]
    A, x = case.make(lead, size), draw(*lead, *size)
    if isinstance(A, Sense):
        B = A.to("cuda")
        assert close(B(x.cuda()).cpu(), A(x)) and close(B.N(x.cuda()).cpu(), A.N(x))
        assert close(B.H(B(x.cuda())).cpu(), A.H(A(x)))
    elif not vars(A) or isinstance(A, Wavelet):
        assert close(A(x.cuda()).cpu(), A(x)) and close(A.H(A(x.cuda())).cpu(), A.H(A(x)))
