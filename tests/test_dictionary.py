"""Patches, sparse codes and dictionaries: against definitions, and against an exhaustive search."""

from itertools import combinations

import pytest
import torch

from course_lib.ops import Patches
from course_lib.solve.dictionary import cosines, ksvd, learn, pursue

C64 = torch.complex64


def unit(pixels: int, atoms: int, seed: int = 0) -> torch.Tensor:
    D = torch.randn(pixels, atoms, dtype=C64, generator=torch.Generator().manual_seed(seed))
    return D / D.norm(dim=0)


def sparse(patches: int, atoms: int, count: int) -> torch.Tensor:
    codes, rng = torch.zeros(patches, atoms, dtype=C64), torch.Generator().manual_seed(1)
    for row in codes:
        row[torch.randperm(atoms, generator=rng)[:count]] = 1 + torch.randn(count, dtype=C64, generator=rng)
    return codes


@pytest.mark.parametrize("shape, stride", [((8, 9), 1), ((9, 8), 2), ((7, 5), 3)])
def test_patches_have_their_adjoint_and_lie_where_they_should(shape, stride):
    R = Patches(shape, 4, stride)
    x = torch.randn(2, *shape, dtype=torch.complex128)
    y = torch.randn_like(R(x))
    assert torch.allclose(torch.vdot(R(x).flatten(), y.flatten()), torch.vdot(x.flatten(), R.H(y).flatten()))
    across = -(-shape[1] // stride)
    number = across + 1  # second row, second column of patches
    expected = x.roll((-stride, -stride), (-2, -1))[:, :4, :4].flatten(1)
    assert torch.equal(R(x)[:, number], expected)


def test_every_pixel_lies_in_as_many_patches_at_stride_1_and_the_mean_of_untouched_patches_is_the_image():
    R, x = Patches((7, 9), 3), torch.randn(1, 7, 9, dtype=C64)
    assert (R.cover() == 9).all()
    odd = Patches((7, 9), 4, 2)
    assert torch.allclose(odd.H(odd(x)) / odd.cover(), x, atol=1e-5)


def test_the_cosines_are_the_dct_and_more_atoms_than_pixels_are_unit_vectors():
    D = cosines(6, 36)
    assert torch.allclose(D.T @ D, torch.eye(36), atol=1e-5)
    assert torch.allclose(D[:, 0], torch.full((36,), 1 / 6))
    assert cosines(4, 30).shape == (16, 30) and torch.allclose(cosines(4, 30).norm(dim=0), torch.ones(30))


def test_a_patch_of_few_atoms_is_found():
    D, C = torch.linalg.qr(unit(12, 12))[0], sparse(50, 12, 3)
    assert torch.allclose(pursue(C @ D.T, D, 3), C, atol=1e-4)


def test_its_numbers_are_a_least_squares_fit_and_the_first_atom_is_the_best_one():
    D, P = unit(8, 20), torch.randn(30, 8, dtype=C64)
    C = pursue(P, D, 3)
    assert ((C != 0).sum(1) == 3).all()
    for p, c in zip(P, C):
        S = D[:, c != 0]
        assert (S.mH @ (p - S @ c[c != 0])).abs().max() < 1e-4
    errors = torch.stack([(P - torch.outer(P @ d.conj(), d)).norm(dim=1) for d in D.T], 1)
    one = pursue(P, D, 1)
    assert torch.equal(one.abs().argmax(1), errors.argmin(1))


def test_it_is_greedy_but_never_beats_an_exhaustive_search():
    D, P = unit(6, 9), torch.randn(20, 6, dtype=C64)
    found = (P - pursue(P, D, 2) @ D.T).norm(dim=1)
    least = torch.full((20,), torch.inf)
    for pair in combinations(range(9), 2):
        Q = torch.linalg.qr(D[:, pair])[0]
        least = torch.minimum(least, (P.T - Q @ (Q.mH @ P.T)).norm(dim=0))
    assert (found >= least - 1e-5).all() and (found < least + 1e-4).any() and (found < 1.6 * least).all()


def test_it_stops_at_the_tolerance():
    D, P = cosines(4, 16).to(C64), torch.randn(40, 16, dtype=C64)
    P[0] *= 1e-3
    C = pursue(P, D, 16, tolerance=0.5)
    errors = (P - C @ D.T).norm(dim=1) / 4
    assert (errors <= 0.5).all() and not C[0].any()
    last = C.abs().where(C != 0, torch.inf).argmin(1)
    fewer = C.scatter(1, last[:, None], 0)
    assert ((P - fewer @ D.T).norm(dim=1) / 4 > 0.5)[1:].all()  # orthonormal: one atom less would not do


def test_zeros_and_repeated_atoms_do_no_harm():
    D = unit(6, 4)[:, [0, 0, 1, 2]]
    C = pursue(torch.cat([torch.zeros(1, 6, dtype=C64), D[:, :1].T]), D, 3)
    assert C.isfinite().all() and not C[0].any() and torch.allclose(C[1] @ D.T, D[:, 0], atol=1e-5)


def test_an_update_never_raises_the_error_and_keeps_where_numbers_stand():
    P, D = torch.randn(200, 9, dtype=C64), unit(9, 9)
    C = pursue(P, D, 2)
    better, codes = ksvd(P, D, C)
    assert (P - codes @ better.T).norm() < 0.98 * (P - C @ D.T).norm()
    assert torch.equal(codes != 0, C != 0) and torch.allclose(better.norm(dim=0), torch.ones(9))


def test_an_atom_is_the_best_for_the_patches_that_use_it():
    P, D = torch.randn(60, 5, dtype=C64), unit(5, 1)
    C = pursue(P, D, 1)
    better, codes = ksvd(P, D, C)
    u, s, v = torch.linalg.svd(P, full_matrices=False)
    assert torch.allclose(codes @ better.T, s[0] * torch.outer(u[:, 0], v[0]), atol=1e-4)


def test_an_atom_that_nobody_uses_becomes_the_patch_that_is_fitted_worst():
    D = torch.eye(4, dtype=C64)
    P = torch.stack([D[0], 2 * D[1], 5 * (D[2] + D[3])])
    C = torch.zeros(3, 4, dtype=C64)
    C[0, 0], C[1, 1] = 1, 2
    better, _ = ksvd(P, D, C)
    assert torch.allclose(better[:, 2].abs(), torch.tensor([0, 0, 0.5**0.5, 0.5**0.5]))
    assert (better[:, 2].conj() @ better[:, 3]).abs() < 0.99  # and the next one another patch


def test_learning_finds_a_planted_dictionary():
    true = unit(10, 10, seed=3)
    P = sparse(800, 10, 2) @ true.T
    start = true + 0.4 * unit(10, 10, seed=4)
    D, C = learn(P, start / start.norm(dim=0), 2, 0.0, updates=30)
    alike = (D.mH @ true).abs().amax(0)
    assert (P - C @ D.T).norm() < 0.1 * P.norm() and (alike > 0.98).sum() >= 8
