"""The non-uniform FFT against the Fourier sum written out, against sigpy, and against itself."""

import math

import pytest
import sigpy
import torch

from course_lib.errors import CourseError, ShapeError
from course_lib.ops.compensation import density, ramp
from course_lib.ops.radial import Radial
from course_lib.ops.sense import Coils, fft2c
from course_lib.sampling import golden_angle

SHAPES = [(16, 16), (15, 21)]
SETTINGS = [(1.5, 5, 5e-4), (2, 6, 1e-5), (2, 8, 2e-7)]  # oversampling, width, relative error


def fourier(trajectory, shape):
    """The matrix (samples, pixels) of the Fourier sum."""
    rows, columns = (torch.arange(n) - n // 2 for n in shape)
    ky, kx = trajectory.reshape(-1, 2, 1, 1).unbind(1)
    phase = ky * rows[:, None] + kx * columns
    return (torch.exp(-2j * math.pi * phase) / math.sqrt(shape[0] * shape[1])).flatten(1)


def noise(*shape, dtype=torch.complex128):
    return torch.randn(*shape, dtype=dtype)


def error(a, b):
    assert a.shape == b.shape
    return ((a - b).norm() / b.norm()).item()


def inner(a, b):
    return torch.vdot(a.flatten(), b.flatten())


@pytest.mark.parametrize("oversampling, width, tolerance", SETTINGS)
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_the_fourier_sum(shape, oversampling, width, tolerance):
    trajectory = golden_angle(13, 24)
    A, E = Radial(trajectory, shape, None, oversampling, width), fourier(trajectory, shape)
    x, y = noise(2, 3, *shape), noise(2, 3, 13, 24)
    assert error(A(x), (x.flatten(2) @ E.T).unflatten(2, (13, 24))) < tolerance
    assert error(A.H(y), (y.flatten(2) @ E.conj()).unflatten(2, shape)) < tolerance
    assert error(A(x.to(torch.complex64)), A(x).to(torch.complex64)) < 3e-6
    assert error(A.H(y.to(torch.complex64)), A.H(y).to(torch.complex64)) < 3e-6


def test_on_grid_points_it_is_the_fft():
    ky, kx = torch.meshgrid((torch.arange(12) - 6) / 12, (torch.arange(9) - 4) / 9, indexing="ij")
    x = noise(1, 2, 12, 9)
    assert error(Radial(torch.stack([ky, kx], -1), (12, 9), None, 2, 8)(x), fft2c(x)) < 2e-7


def operators():
    spokes, frames = golden_angle(5, 14), golden_angle(12, 10).unflatten(0, (3, 4))
    return {
        "one trajectory": (Radial(spokes, (9, 12)), (2, 3)),
        "weights": (Radial(spokes, (9, 12), ramp(spokes, (9, 12))), (2, 3)),
        "more than eight coils": (Radial(spokes, (9, 12)), (1, 11)),
        "extra axes share it": (Radial(spokes, (9, 12)), (2, 2, 3)),
        "frames have their own": (Radial(frames, (9, 12), ramp(frames, (9, 12))), (2, 2, 3)),
        "slices and frames": (Radial(frames, (9, 12)), (1, 2, 2, 3)),
    }


@pytest.mark.parametrize("name", operators())
def test_adjoint_is_exact_and_is_the_gradient(name):
    A, lead = operators()[name]
    x = noise(*lead, 9, 12).requires_grad_()
    y = noise(*lead, *A.trajectory.shape[-3:-1]).requires_grad_()
    assert A(x).shape == y.shape and A.H(y).shape == x.shape
    assert abs(inner(y, A(x)) - inner(A.H(y), x)) < 1e-10 * A(x).norm() * y.norm()
    assert abs(inner(x, A.N(A.N(x))) - inner(A.N(x), A.N(x))) < 1e-10 * A.N(x).norm() ** 2
    z = noise(*x.shape)
    assert error(torch.autograd.grad(A(x), x, y.detach())[0], A.H(y)) < 1e-12
    assert error(torch.autograd.grad(A.H(y), y, z)[0], A(z)) < 1e-12
    assert error(torch.autograd.grad(A.N(x), x, z)[0], A.N(z)) < 1e-12


@pytest.mark.parametrize("name", operators())
def test_normal_operator_is_forward_then_adjoint(name):
    coarse, lead = operators()[name]
    A = Radial(coarse.trajectory, coarse.shape, coarse.weights, 2, 10)
    x = noise(*lead, 9, 12)
    assert error(A.N(x), A.H(A(x))) < 1e-8
    assert error(coarse.N(x), A.N(x)) < 1e-5
    assert error(A.N(x.to(torch.complex64)), A.N(x).to(torch.complex64)) < 1e-6


def test_every_frame_and_every_sample_is_on_its_own():
    trajectory = golden_angle(12, 10).unflatten(0, (3, 4))
    weights, x = ramp(trajectory, (9, 12)), noise(2, 2, 3, 9, 12)
    A = Radial(trajectory, (9, 12), weights)
    for t in range(3):
        one = Radial(trajectory[t], (9, 12), weights[t])
        assert error(A(x)[:, :, t], one(x[:, :, t])) < 1e-14
        assert error(A.N(x)[:, :, t], one.N(x[:, :, t])) < 1e-14
    assert error(A(x)[1:], A(x[1:])) < 1e-14 and error(A.N(x)[1:], A.N(x[1:])) < 1e-14
    assert error(A.H(A(x))[1:], A.H(A(x[1:]))) < 1e-14


def test_coils_in_front_make_radial_sense():
    trajectory, maps, x = golden_angle(7, 16), noise(2, 3, 8, 8), noise(2, 8, 8)
    A = Radial(trajectory, (8, 8), None, 2, 8) @ Coils(maps)
    E = fourier(trajectory, (8, 8))
    y = ((maps * x[:, None]).flatten(2) @ E.T).unflatten(2, (7, 16))
    assert error(A(x), y) < 2e-7
    assert error(A.N(x), (maps.conj() * (y.flatten(2) @ E.conj()).unflatten(2, (8, 8))).sum(1)) < 2e-7


def test_agrees_with_sigpy():
    trajectory, x = golden_angle(11, 32), noise(1, 2, 20, 24)
    coordinates = (trajectory * torch.tensor([20, 24])).numpy()
    ours, A = Radial(trajectory, (20, 24)), Radial(trajectory, (20, 24), None, 2, 6)
    theirs = torch.from_numpy(sigpy.nufft(x.numpy(), coordinates, oversamp=2, width=6))
    assert error(A(x), theirs) < 2e-5 and error(ours(x), theirs) < 5e-4
    theirs = torch.from_numpy(sigpy.nufft_adjoint(A(x).numpy(), coordinates, (1, 2, 20, 24), oversamp=2, width=6))
    assert error(A.H(A(x)), theirs) < 2e-5


def test_a_conjugated_view_is_read_as_what_it_is():
    A, x = Radial(golden_angle(5, 14), (9, 12)), noise(1, 1, 9, 12)
    y = A(x)
    assert torch.equal(A(x.conj()), A(x.conj().resolve_conj()))
    assert torch.equal(A.H(y.conj()), A.H(y.conj().resolve_conj()))


@pytest.mark.parametrize("compensate, tolerance", [(ramp, 0.035), (density, 0.005)])
def test_density_compensation_makes_gridding_a_reconstruction(compensate, tolerance):
    shape, trajectory = (32, 40), golden_angle(101, 80)
    rows, columns = (torch.arange(n) - n // 2 for n in shape)
    x = torch.exp(-((rows[:, None] - 2) ** 2 + (columns + 3) ** 2) / 18)[None, None].to(torch.complex64)
    weights = compensate(trajectory, shape)
    assert weights.shape == (101, 80)
    A = Radial(trajectory, shape, weights)
    assert error(A.N(x), x) < tolerance
    assert weights.sum().item() / (32 * 40) == pytest.approx(math.pi / 4, rel=0.05)  # the disc of radius 1/2
    assert error(compensate(trajectory[None].expand(2, -1, -1, -1), shape)[1], weights) < 1e-5


def test_pipes_weights_follow_the_ramp():
    trajectory = golden_angle(100, 128)
    ratio = (density(trajectory, (64, 64)) / ramp(trajectory, (64, 64)))[:, 68:100].mean(0)
    assert (ratio - 1).abs().max() < 0.005


def test_wrong_input_is_refused():
    spokes = golden_angle(5, 14)
    with pytest.raises(CourseError, match="2 pi"):
        Radial(spokes * 2 * math.pi, (9, 12))
    with pytest.raises(CourseError, match="cycles"):
        Radial(spokes * math.nan, (9, 12))
    for trajectory, weights in ((spokes[0], None), (spokes[..., :1], None), (spokes, torch.ones(14))):
        with pytest.raises(ShapeError):
            Radial(trajectory, (9, 12), weights)
    A = Radial(spokes, (9, 12))
    for apply, shape in ((A, (1, 1, 12, 9)), (A.H, (1, 1, 14, 5)), (A.N, (1, 1, 9, 9))):
        with pytest.raises(ShapeError, match="extra"):
            apply(noise(*shape))
    with pytest.raises(ShapeError, match="3, 9, 12"):
        Radial(spokes.expand(3, -1, -1, -1), (9, 12))(noise(1, 2, 4, 9, 12))
