"""Regions of k-space, their boxes and sizes; virtual coils of a fixed phase."""

import pytest
import torch

from course_lib.ops.regions import put, regions, scale
from course_lib.solve.calibrate import compress, mix, upright


@pytest.mark.parametrize("shape", [(32, 32), (31, 27)])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_sample_lies_in_one_region_and_the_centre_in_the_first(shape, count):
    k = torch.zeros(1, 2, *shape)
    parts = regions(k, count)
    marks = [put(k, box, ring) for box, ring in parts]
    assert len(parts) == count and (sum(marks) == 1).all()
    assert marks[0][0, 0, shape[0] // 2, shape[1] // 2] == 1 and not k.any()
    if count == 3:
        assert parts[0][1].shape == (-(-shape[0] // 4), -(-shape[1] // 4))


def test_the_size_is_that_of_the_samples_that_are_there():
    k = torch.zeros(2, 1, 2, 4, dtype=torch.complex64)
    k[0, 0, 0, :2] = torch.tensor([3, 4j])
    assert scale(k).flatten().tolist() == pytest.approx([12.5**0.5, 1])


def test_the_phase_of_virtual_coils_is_fixed_by_their_largest_sample():
    k = torch.randn(2, 3, 6, 5, dtype=torch.complex128)
    turns = torch.polar(torch.ones(2, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64))
    v, P = compress(k, 3)
    first, second = upright(v, P), upright(turns[..., None, None] * v, turns[..., None] * P)
    assert torch.allclose(first[0], second[0]) and torch.allclose(first[1], second[1])
    assert torch.allclose(mix(first[1], k), first[0])
    largest = first[0].flatten(2).gather(2, v.flatten(2).abs().argmax(2, keepdim=True))
    assert torch.allclose(largest.imag, 0 * largest.imag) and (largest.real > 0).all()
    assert not upright(0 * v, P)[0].any() and torch.equal(upright(0 * v, P)[1], P)
