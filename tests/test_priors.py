"""What learned priors are made of: curves, filters, transforms."""

import numpy as np
import torch

from course_lib.blocks import Bumps, Filters, LearnedTransform, PiecewiseLinear, cosines, read_off
from course_lib.check import phantom
from course_lib.ops import Stack
from course_lib.solve import cg, least_squares, soft


def test_a_curve_is_read_off_with_its_gradient():
    torch.manual_seed(0)
    table, v = torch.randn(3, 11, dtype=torch.float64), torch.randn(2, 3, 4, 5, dtype=torch.float64)
    knots = torch.linspace(-1, 1, 11).numpy()
    for channel in range(3):
        expected = np.interp(v[:, channel].numpy(), knots, table[channel].numpy())
        assert np.allclose(read_off(table, v, 1.0)[:, channel].numpy(), expected, atol=1e-6)
    assert torch.allclose(read_off(table, v, 1.0, slope=2.0), read_off(table, v, 1.0) + 2 * (v - v.clamp(-1, 1)))
    arguments = (table.requires_grad_(), v.requires_grad_())
    assert torch.autograd.gradcheck(lambda t, v: read_off(t, v, 1.0, slope=0.5), arguments)


def test_bumps_are_the_sum_of_their_gaussians():
    bumps, v = Bumps(2), torch.linspace(-3, 3, 401).expand(1, 2, 1, -1)
    with torch.no_grad():
        bumps.w.normal_()
        direct = (
            bumps.w[:, :, None] * torch.exp(-(((v[0, 0] - torch.linspace(-1, 1, 31)[:, None]) * 15) ** 2) / 2)
        ).sum(1)
        assert (bumps(v)[0, :, 0] - direct).abs().max() < 2e-3


def test_filters_have_their_adjoint_and_a_short_normal_operator():
    torch.manual_seed(0)
    H, x, y = Filters(torch.randn(5, 3, 3)), torch.randn(2, 9, 7) + 0j, torch.randn(2, 5, 11, 9) * 1j
    x = x + 1j * torch.randn(2, 9, 7)
    assert torch.allclose(torch.vdot(y.flatten(), H(x).flatten()), torch.vdot(H.H(y).flatten(), x.flatten()), atol=1e-4)
    assert torch.allclose(H.N(x), H.H(H(x)), atol=1e-4)
    patterns = cosines(torch.ones(())).flatten(1)
    assert torch.allclose(patterns @ patterns.T, torch.eye(8), atol=1e-6) and patterns.sum(1).abs().max() < 1e-6


def test_a_learned_transform_is_undone_before_it_is_trained():
    transform, x = LearnedTransform(16), torch.randn(2, 9, 7, dtype=torch.complex64)
    assert torch.allclose(transform.Dt(transform.D(x)), x, atol=1e-6)
    assert transform.D(x)[:, 2:].abs().max() > 0.1


def test_a_piecewise_linear_function_starts_as_a_soft_threshold_of_real_and_imaginary_part():
    v = 3 * torch.randn(2, 4, 5, 6, dtype=torch.complex64)
    expected = torch.complex(soft(v.real, 0.06), soft(v.imag, 0.06))
    with torch.no_grad():
        assert torch.allclose(PiecewiseLinear(4, threshold=0.06)(v), expected, atol=1e-5)


def test_least_squares_have_the_gradient_of_the_solution():
    torch.manual_seed(0)
    A, x = phantom("modl").A, phantom("modl").image
    found = []
    for solve in (
        lambda H, b: least_squares(Stack((A, H), ()), b, x, iterations=80),
        lambda H, b: cg(lambda v: A.N(v) + H.N(v), b, x, iterations=80),  # its gradient runs through the loop
    ):
        kernels = torch.full((2, 3, 3), -1 / 9)
        kernels[:, 1, 1] += 1
        kernels.requires_grad_()
        solution = solve(Filters(kernels), A.H(A(x)))
        (solution * x.conj().roll(1, -1)).abs().square().sum().backward()
        found.append((solution.detach(), kernels.grad))
    for a, b in zip(*found):
        assert (a - b).norm() < 1e-3 * b.norm()
