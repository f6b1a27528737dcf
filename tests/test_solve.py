"""The classical algorithms reach the solutions of linear algebra, of each other and of sigpy."""

import pytest
import sigpy.mri
import torch
from torch import Tensor

from course_lib.data.phantom import phantom_sample
from course_lib.methods.classic.cs_tv import CompressedSensingTV
from course_lib.methods.classic.cs_wavelet import CompressedSensingWavelet
from course_lib.ops import FiniteDifference, LinearOperator, Sense
from course_lib.solve import admm, cg, dot, fista, ista, pdhg, power, shifted_inverse, soft

C = torch.complex128
TV = 0.005  # weight of the penalties on the scan


def hermitian(n: int, batch: int = 1, least: float = 0.1) -> Tensor:
    """Random Hermitian matrices (batch, n, n) with eigenvalues of at least `least`."""
    half = torch.randn(batch, n, n, dtype=C) / n**0.5
    return half @ half.mH + least * torch.eye(n)


def times(matrix: Tensor):
    """x (batch, n) -> matrix @ x, sample by sample."""
    return lambda x: torch.einsum("bij,bj->bi", matrix, x)


def distance(a: Tensor, b: Tensor) -> float:
    """NRMSE between two results."""
    return float((a - b).norm() / b.norm())


def test_dot_is_the_real_inner_product_of_each_sample():
    a, b = torch.randn(2, 3, 4, 5, dtype=C)
    expected = [(a[i].conj() * b[i]).sum().real for i in range(3)]
    assert dot(a, b).shape == (3, 1, 1)
    assert torch.allclose(dot(a, b).flatten(), torch.stack(expected))


def test_cg_solves_as_linear_algebra_does():
    A, b = hermitian(12, batch=2), torch.randn(2, 12, dtype=C)
    b[1] *= 100
    x = torch.linalg.solve(A, b)
    assert distance(cg(times(A), b, iterations=40), x) < 1e-9
    assert distance(cg(times(A), b, x=x + torch.randn_like(x), iterations=40), x) < 1e-9


def test_cg_is_exact_after_as_many_steps_as_there_are_eigenvalues():
    A = torch.linalg.qr(torch.randn(1, 9, 9, dtype=C))[0]
    A = (A * torch.tensor([1.0, 2, 5] * 3)) @ A.mH
    b = torch.randn(1, 9, dtype=C)
    x = torch.linalg.solve(A, b)
    assert distance(cg(times(A), b, iterations=3), x) < 1e-10 < distance(cg(times(A), b, iterations=2), x)


def test_cg_treats_every_sample_alone_and_stops_where_it_is_done():
    A, b = hermitian(8, batch=3), torch.randn(3, 8, dtype=C)
    b[1] = 0
    together = cg(times(A), b, iterations=5)
    alone = torch.cat([cg(times(A[i : i + 1]), b[i : i + 1], iterations=5) for i in range(3)])
    assert torch.allclose(together, alone) and together.isfinite().all()
    assert (together[1] == 0).all()
    exact = torch.linalg.solve(A, b)
    assert torch.allclose(cg(times(A), b, x=exact, iterations=30), exact)


def test_cg_in_single_precision_stays_at_the_solution():
    A, b = hermitian(8).to(torch.complex64), torch.randn(1, 8, dtype=torch.complex64)
    assert distance(cg(times(A), b, iterations=500), torch.linalg.solve(A, b)) < 1e-5


def test_cg_stays_at_the_solution_of_a_singular_system():
    """A projection, as A^H A of one coil is: solved after one step, and the rest is rounding."""
    mask = (torch.rand(3, 64) < 0.3).float()
    b = torch.fft.ifft(mask * torch.randn(3, 64, dtype=torch.complex64), norm="ortho")
    project = lambda x: torch.fft.ifft(mask * torch.fft.fft(x, norm="ortho"), norm="ortho")
    assert distance(cg(project, b, iterations=30), b) < 1e-5


@pytest.mark.parametrize("shift", [1.5e-3, 1e-2, 0.031, 0.3])
def test_the_shifted_inverse_is_exact_in_single_precision_even_where_A_is_singular(shift):
    A, s = (
        Sense((torch.rand(1, 1, 1, 96) < 0.4).float(), torch.ones(1, 1, 3, 96, dtype=torch.complex64)),
        torch.tensor(shift),
    )
    b = A.H(A(torch.randn(1, 3, 96, dtype=torch.complex64)))
    x = shifted_inverse(A, s)(b, None)
    assert distance(A.N(x) + s * x, b) < 2e-4


def test_gradients_flow_through_cg():
    A, b = hermitian(6), torch.randn(1, 6, dtype=C)
    lam = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    b.requires_grad_()
    w = torch.randn(1, 6, dtype=C)
    solved = cg(lambda v: times(A)(v) + lam * v, b, iterations=20)
    grads = torch.autograd.grad(dot(w, solved).sum(), (lam, b))
    exact = torch.linalg.solve(A + lam * torch.eye(6), b)
    expected = torch.autograd.grad(dot(w, exact).sum(), (lam, b))
    assert all(torch.allclose(g, e, rtol=1e-6) for g, e in zip(grads, expected))
    solved = cg(lambda v: times(A)(v) + lam * v, 0 * b, iterations=3)
    grads = torch.autograd.grad(dot(w, solved).sum(), (lam, b))
    assert all(g.isfinite().all() for g in grads), "a zero residual must not poison training"


def test_watch_sees_every_iterate():
    A, b = hermitian(5), torch.randn(1, 5, dtype=C)
    seen = []
    x = cg(times(A), b, iterations=3, watch=lambda x, i: seen.append((i, x)))
    assert [i for i, _ in seen] == [0, 1, 2] and torch.equal(seen[-1][1], x)


def test_power_finds_the_largest_eigenvalue_of_each_sample():
    A = hermitian(6, batch=2)
    A[1] *= 7
    found = power(times(A), torch.randn(2, 6, dtype=C), iterations=300)
    assert torch.allclose(found, torch.linalg.eigvalsh(A)[:, -1:], rtol=1e-6)


def test_soft_shrinks_the_magnitude_and_keeps_the_phase():
    x = torch.tensor([3 + 4j, 0.3 - 0.4j, 0, -2], dtype=C)
    assert torch.allclose(soft(x, 1.0), torch.tensor([2.4 + 3.2j, 0, 0, -1], dtype=C))
    assert torch.allclose(soft(torch.tensor([-2.0, 0.5]), 1.0), torch.tensor([-1.0, 0.0]))
    v = torch.tensor([0, 3 + 4j, 0.1], dtype=C, requires_grad=True)
    soft(v, 1.0).abs().sum().backward()
    assert torch.allclose(v.grad, torch.tensor([0, 0.6 + 0.8j, 0], dtype=C))


# ---------------------------------------------------------------- min 1/2 ||M x - y||^2 + lam ||x||_1
LAM = 0.8


@pytest.fixture
def lasso():
    """(matrix, data, objective, minimiser by many plain steps) of a small problem with two samples."""
    M = torch.randn(2, 14, 10, dtype=C) / 4
    y = torch.randn(2, 14, dtype=C)

    def objective(x):
        return 0.5 * (times(M)(x) - y).abs().square().sum(1) + LAM * x.abs().sum(1)

    def grad(x):
        return times(M.mH)(times(M)(x) - y)

    step = 0.99 / power(times(M.mH @ M), torch.randn(2, 10, dtype=C), 100)
    x = ista(grad, lambda v, s: soft(v, LAM * s), torch.zeros(2, 10, dtype=C), step, 2000)
    assert (x == 0).any() and (x != 0).any(), "a problem without a kink tests nothing"
    return M, y, objective, grad, step, x


def test_ista_never_rises_and_fista_is_faster(lasso):
    M, y, objective, grad, step, x = lasso
    values = {}
    for algorithm in (ista, fista):
        history = []
        algorithm(
            grad, lambda v, s: soft(v, LAM * s), 0 * x, step, 40, watch=lambda x, i, h=history: h.append(objective(x))
        )
        values[algorithm] = torch.stack(history)
    assert (values[ista].diff(dim=0) <= 1e-12).all()
    gap = {a: (v[-1] - objective(x)).max() for a, v in values.items()}
    assert gap[fista] < 0.2 * gap[ista]


def test_a_batch_is_its_samples(lasso):
    M, y, objective, grad, step, x = lasso
    together = fista(grad, lambda v, s: soft(v, LAM * s), 0 * x, step, 30)
    for i in range(2):
        Mi, yi = M[i : i + 1], y[i : i + 1]
        gradient = lambda v, Mi=Mi, yi=yi: times(Mi.mH)(times(Mi)(v) - yi)  # noqa: E731
        alone = fista(gradient, lambda v, s: soft(v, LAM * s), 0 * x[:1], step[i : i + 1], 30)
        assert torch.allclose(together[i], alone[0])


def test_fista_admm_and_pdhg_reach_the_same_minimiser(lasso):
    M, y, objective, grad, step, x = lasso
    shrink = lambda v, s: soft(v, LAM * s)  # noqa: E731
    assert distance(fista(grad, shrink, 0 * x, step, 500), x) < 1e-6
    rho, normal = 0.3, M.mH @ M + 0.3 * torch.eye(10)
    solve = lambda v, start: torch.linalg.solve(normal, times(M.mH)(y) + rho * v)  # noqa: E731
    assert distance(admm(lambda v: v, solve, shrink, 0 * x, rho, 300), x) < 1e-6
    fit = lambda v, s: (v + s * y) / (1 + s)  # noqa: E731  prox of 1/2 ||v - y||^2
    tau = step.sqrt()
    assert distance(pdhg(Matrix(M), fit, shrink, 0 * x, tau, tau, 500), x) < 1e-6


class Matrix(LinearOperator):
    def __init__(self, matrix: Tensor):
        self.matrix = matrix

    def forward(self, x: Tensor) -> Tensor:
        return times(self.matrix)(x)

    def adjoint(self, y: Tensor) -> Tensor:
        return times(self.matrix.mH)(y)


# ---------------------------------------------------------------- the same images as sigpy, and as each other
@pytest.fixture(scope="module")
def scan():
    """A noisy phantom of 40 x 40 with 4 coils, R = 2.5."""
    return phantom_sample(40, 40, 4, acceleration=2.5, noise=0.01)


def by_sigpy(app, scan, iterations: int) -> Tensor:
    kspace, maps, mask = scan.kspace[0].numpy(), scan.maps[0].numpy(), scan.mask[0].numpy()
    return torch.from_numpy(app(kspace, maps, TV, weights=mask, max_iter=iterations, show_pbar=False).run())[None]


def fit(scan):
    """prox of 1/2 ||A x - y||^2."""
    A, AHy = scan.A, scan.A.H(scan.kspace)
    return lambda v, step: cg(lambda x: x + step * A.N(x), v + step * AHy, x=v, iterations=5)


def test_sigpys_wavelet_reconstruction_is_reproduced(scan):
    """NRMSE between the two 1e-5, in sigpy's wavelet frame; our method, with shifts, gives the better image."""
    theirs = by_sigpy(sigpy.mri.app.L1WaveletRecon, scan, 200)
    W = sigpy.linop.Wavelet((40, 40))
    prox = sigpy.prox.UnitaryTransform(sigpy.prox.L1Reg(W.oshape, TV), W)
    A, AHy = scan.A, scan.A.H(scan.kspace)
    shrink = lambda v, step: torch.from_numpy(prox(step, v[0].numpy()))[None]  # noqa: E731
    ours = fista(lambda x: A.N(x) - AHy, shrink, AHy, 1.0, 200)
    assert distance(ours, theirs) < 1e-4
    method = CompressedSensingWavelet(lam=TV, iterations=60)(scan.kspace, scan.A)
    assert distance(method, scan.image) < distance(theirs, scan.image)


class CircularDifference(LinearOperator):
    """sigpy's differences: to the previous pixel, periodic."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x - x.roll(1, -2), x - x.roll(1, -1)], 1)

    def adjoint(self, y: Tensor) -> Tensor:
        return y[:, 0] - y[:, 0].roll(-1, -2) + y[:, 1] - y[:, 1].roll(-1, -1)


def test_sigpys_total_variation_reconstruction_is_reproduced(scan):
    """NRMSE between the two 4e-3, most of it sigpy's: its penalty, anisotropic and periodic, converges slowly."""
    theirs = by_sigpy(sigpy.mri.app.TotalVariationRecon, scan, 2000)
    shrink = lambda v, t: soft(v, TV * t)  # noqa: E731
    ours = pdhg(CircularDifference(), shrink, fit(scan), scan.A.H(scan.kspace), tau=4.0, sigma=1 / 32, iterations=150)
    assert distance(ours, theirs) < 1e-2


def test_isotropic_total_variation_by_three_algorithms(scan):
    A, AHy, D, rho = scan.A, scan.A.H(scan.kspace), FiniteDifference(), 0.05
    shrink = lambda v, t: shorten(v, TV * t)  # noqa: E731
    by_pdhg = pdhg(D, shrink, fit(scan), AHy, tau=4.0, sigma=1 / 32, iterations=150)
    solve = lambda v, x: cg(lambda w: A.N(w) + rho * D.N(w), AHy + rho * D.H(v), x=x, iterations=5)  # noqa: E731
    by_admm = admm(D, solve, shrink, AHy, rho, 60)
    by_fista = CompressedSensingTV(lam=TV, iterations=150, inner=10)(scan.kspace, scan.A)
    assert distance(by_admm, by_pdhg) < 2e-3
    assert distance(by_fista, by_pdhg) < 2e-3


def shorten(v: Tensor, t: float) -> Tensor:
    """Shrink the length of each pixel's difference vector (axis 1) by t: the prox of isotropic total variation."""
    length = v.abs().square().sum(1, keepdim=True).sqrt()
    return v * (1 - t / length.clamp_min(t))


def lines_and_dots(batch: int = 1) -> list[Sense]:
    """The same coils with a mask of whole lines, whose rows are inverted, and one of dots, for which CG is needed."""
    maps = torch.randn(batch, 3, 5, 9, dtype=C)
    return [Sense((torch.rand(batch, 1, height, 9, dtype=torch.float64) > 0.5).double(), maps) for height in (1, 5)]


@pytest.mark.parametrize("batch", [1, 2])
def test_the_shifted_inverse_solves_the_normal_equations(batch):
    for A in lines_and_dots(batch):
        b = torch.randn(batch, 5, 9, dtype=C)
        for s in (torch.tensor(0.3), torch.linspace(0.2, 4, batch).reshape(-1, 1, 1)):
            solve = shifted_inverse(A, s.double(), iterations=60)
            for start in (None, torch.randn_like(b)):
                x = solve(b, start)
                assert distance(A.N(x) + s * x, b) < 1e-9


def test_rows_wider_than_the_limit_are_solved_by_cg(monkeypatch):
    A, b, s = lines_and_dots()[0], torch.randn(1, 5, 9, dtype=C), torch.tensor(0.3, dtype=torch.float64)
    exact = shifted_inverse(A, s)(b)
    monkeypatch.setattr("course_lib.solve.shifted.WIDEST", 8)
    assert distance(shifted_inverse(A, s, iterations=1)(b), exact) > 1e-3
    assert distance(shifted_inverse(A, s, iterations=60)(b), exact) < 1e-9


def test_a_tiny_shift_is_left_to_cg_which_stays_accurate_in_single_precision():
    mask = (torch.arange(64) % 3 == 0).float().reshape(1, 1, 1, 64)  # one coil: two thirds of the image are not seen
    A, b = Sense(mask, torch.ones(1, 1, 8, 64, dtype=torch.complex64)), torch.randn(1, 8, 64, dtype=torch.complex64)
    x = shifted_inverse(A, torch.tensor(1e-6), iterations=30)(A.N(b))
    assert distance(A.N(x), A.N(b)) < 1e-4


def test_the_gradient_of_the_shifted_solution_is_that_of_linear_algebra():
    for A in lines_and_dots(2):
        b, weights = torch.randn(2, 2, 45, dtype=C)
        b.requires_grad_()
        columns = torch.eye(45, dtype=C).reshape(45, 5, 9)
        N = torch.stack([Sense(A.mask[i : i + 1], A.maps[i : i + 1]).N(columns).reshape(45, 45).T for i in (0, 1)])
        for s in (torch.tensor(0.3, dtype=torch.float64), torch.tensor([[[0.2]], [[4.0]]], dtype=torch.float64)):
            s.requires_grad_()
            exact = torch.linalg.solve(N + s * torch.eye(45, dtype=torch.float64), b)
            solved = shifted_inverse(A, s, iterations=80)(b.reshape(2, 5, 9)).reshape(2, 45)
            wanted, found = (torch.autograd.grad((weights * x).real.sum(), (b, s)) for x in (exact, solved))
            assert found[1].shape == s.shape
            assert all((f - w).norm() < 1e-7 * w.norm() for f, w in zip(found, wanted))
