"""Real radial data through this library and through others: the same images."""

import numpy as np
import pytest
import sigpy
import sigpy.mri
import torch

from course_lib import build, metrics
from course_lib.data import radial
from course_lib.ops import Radial, RadialSense


@pytest.fixture(scope="module")
def brain():
    """The real scan with all 32 coils, and larger pixels."""
    return radial.brain(64, 64)


def coordinates(A: RadialSense) -> np.ndarray:
    """sigpy counts k-space in steps of one over the field of view."""
    return (A.radial.trajectory * torch.tensor(A.radial.shape)).numpy()


def difference(a: torch.Tensor, b: torch.Tensor) -> float:
    """Complex, unlike metrics.nrmse: the phase counts."""
    return ((a - b).norm() / b.norm()).item()


def weights(A: RadialSense) -> np.ndarray:
    assert A.radial.weights is not None
    return A.radial.weights.numpy()


def test_coil_images_are_those_of_sigpy(brain):
    A, shape = brain.A, (32, *brain.A.radial.shape)
    root = np.sqrt(weights(A)).astype(np.float32)
    back = sigpy.nufft_adjoint(brain.kspace[0].numpy() * root, coordinates(A), shape, oversamp=2, width=6)
    assert difference(A.radial.H(brain.kspace)[0], torch.from_numpy(back)) < 2e-3
    exact = Radial(A.radial.trajectory, A.radial.shape, A.radial.weights, 2, 6)
    assert difference(exact.H(brain.kspace)[0], torch.from_numpy(back)) < 1e-4


def test_coil_images_are_those_of_finufft(brain):
    finufft = pytest.importorskip("finufft")
    A, n = brain.A, brain.A.radial.shape[0]
    ky, kx = (2 * np.pi * A.radial.trajectory.double().flatten(0, 1)).T.contiguous().numpy()
    y = (brain.kspace[0] * A.radial.weights.sqrt()).to(torch.complex128).flatten(1).numpy()
    back = torch.from_numpy(finufft.nufft2d1(ky, kx, y, (n, n), isign=1, eps=1e-10)) / n
    assert difference(A.radial.H(brain.kspace)[0].to(back), back) < 1e-3


def test_cg_sense_of_the_real_scan_is_that_of_sigpys_operators(brain):
    A, maps = brain.A, brain.A.maps[0].numpy()
    theirs = sigpy.mri.linop.Sense(maps, coord=coordinates(A), weights=weights(A).astype(np.float32))
    y = brain.kspace[0].numpy()  # already times the root of the weights
    start = np.zeros(A.radial.shape, np.complex64)
    solver = sigpy.alg.ConjugateGradient(theirs.H * theirs, theirs.H(y), start, max_iter=8)
    while not solver.done():
        solver.update()
    ours = build("sense_cg", iterations=8)(brain.kspace, A)
    assert metrics.nrmse(ours, torch.from_numpy(start)[None]).item() < 3e-3
    assert difference(ours[0], torch.from_numpy(start)) < 3e-3
