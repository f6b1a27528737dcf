"""Masks: equal to fastMRI's official rule, true to the stated acceleration, and readable back."""

import itertools
import math

import numpy as np
import pytest
import torch

from course_lib import sampling
from course_lib.errors import CourseError
from course_lib.sampling.poisson import radii, throw

subsample = pytest.importorskip("fastmri.data.subsample")
FASTMRI = [(4, 0.08), (8, 0.04), (3, 0.1), (6, 0.06)]
SEEDS = [0, 42, tuple(map(ord, "file1000026.h5"))]


def official(kind, width, acceleration, fraction, seed):
    mask, _ = kind([fraction], [acceleration])((1, width, 1), seed=seed)
    return mask.reshape(1, 1, 1, width)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("acceleration, fraction", FASTMRI)
@pytest.mark.parametrize("width", [213, 320, 368, 372])
def test_fastmri_masks_equal_the_official_ones_bit_by_bit(width, acceleration, fraction, seed):
    ours = sampling.random(width, acceleration, fraction, seed)
    assert ours.dtype == torch.float32 and torch.equal(
        ours, official(subsample.RandomMaskFunc, width, acceleration, fraction, seed)
    )
    ours = sampling.equispaced(width, acceleration, fraction, seed)
    assert torch.equal(ours, official(subsample.EquispacedMaskFractionFunc, width, acceleration, fraction, seed))


@pytest.mark.parametrize("width, offset, low", [(320, 0, 26), (213, 3, 17), (11, 1, 0)])
def test_uniform_equals_the_official_evenly_spaced_mask(width, offset, low):
    theirs, _ = subsample.EquiSpacedMaskFunc([low / width], [4])((1, width, 1), offset=offset, seed=0)
    assert torch.equal(sampling.uniform(width, 4, low, offset), theirs.reshape(1, 1, 1, width))


def test_masks_have_the_stated_acceleration():
    assert sampling.effective_acceleration(sampling.uniform(320, 4)) == 4
    assert sampling.effective_acceleration(sampling.uniform(16, 4, calibration=4)) == 16 / 7
    assert sampling.effective_acceleration(sampling.equispaced(368, 4, 0.08, seed=1)) == pytest.approx(4, rel=0.03)
    mean = np.mean([sampling.effective_acceleration(sampling.random(368, 4, 0.08, seed=s)) for s in range(40)])
    assert mean == pytest.approx(4, rel=0.05)


def test_of_many_masks_the_mean_and_the_range_are_told():
    found = sampling.effective_accelerations(sampling.uniform(12, R) for R in (2, 3, 4))
    assert (found.mean, found.low, found.high) == (3, 2, 4) and str(found) == "3.00 (2.00 to 4.00)"


@pytest.mark.parametrize("acceleration", [1.5, 2, 4, 9])
def test_poisson_disc_hits_the_acceleration(acceleration):
    mask = sampling.poisson((96, 120), acceleration, calibration=12, seed=3)
    assert mask.shape == (1, 1, 96, 120)
    assert sampling.effective_acceleration(mask) == pytest.approx(acceleration, rel=0.03)
    assert mask[..., 42:54, 54:66].all()
    assert torch.equal(mask, sampling.poisson((96, 120), acceleration, calibration=12, seed=3))
    assert not torch.equal(mask, sampling.poisson((96, 120), acceleration, calibration=12, seed=4))


def test_poisson_discs_are_empty_and_grow_with_the_radius():
    radius = radii((96, 96), slope=3.0)
    points = np.argwhere(throw(radius, calibration=0, seed=1))
    distance = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    np.fill_diagonal(distance, np.inf)
    local = radius[tuple(points.T)]
    assert (distance >= np.maximum(local[:, None], local[None])).all()
    rho = np.hypot(*(points - 48).T) / 48
    rings = [distance[(rho >= a) & (rho < a + 0.25)].min() for a in (0, 0.25, 0.5, 0.75, 1.0)]
    assert all(b > a for a, b in itertools.pairwise(rings))
    # and no hole is left: every pixel lies in a disc, or its own disc holds a sample
    pixels = np.argwhere(np.ones((96, 96)))
    reach = np.hypot(*(pixels[:, None] - points[None]).transpose(2, 0, 1))
    assert (reach < np.maximum(radius.reshape(-1, 1), local[None])).any(1).all()


def test_kt_frames_share_the_centre_and_differ_outside():
    mask = sampling.kt(width=64, frames=40, acceleration=4, calibration=4, seed=5)
    assert mask.shape == (1, 1, 40, 1, 64) and mask.dtype == torch.float32
    lines = mask[0, 0, :, 0]
    assert (lines.sum(-1) == 16).all() and lines[:, 30:34].all()
    assert len({tuple(frame.tolist()) for frame in lines}) > 30
    density = lines.mean(0)
    assert density[18:30].mean() > 2 * density[:12].mean() > 0
    assert sampling.acs(mask) == (30, 34)
    assert torch.equal(sampling.kt(8, 3, 1, calibration=0), torch.ones(1, 1, 3, 1, 8))


@pytest.mark.parametrize(
    "width, acceleration, calibration, offset",
    [(32, 4, 0, 0), (32, 4, 8, 3), (33, 2, 7, 1), (8, 1, 0, 0), (30, 3, 10, 2)],
)
def test_spacing_reads_a_regular_mask_back(width, acceleration, calibration, offset):
    mask = sampling.uniform(width, acceleration, calibration, offset)
    assert sampling.spacing(mask) == acceleration and sampling.lattice(mask) == (acceleration, offset)


def test_spacing_refuses_irregular_lines():
    gap = sampling.uniform(16, 4)
    gap[..., 4] = 0
    block = sampling.uniform(32, 32, calibration=8)[..., 1:]
    moving = torch.cat([sampling.uniform(16, 2), sampling.uniform(16, 4)])  # what they share is regular
    row = torch.zeros(1, 1, 16, 16)
    row[..., 8, :] = 1
    irregular = sampling.random(64, 4, 0.08, seed=1), sampling.equispaced(368, 4, 0.08, seed=1)
    for mask in (*irregular, gap, block, moving, row):
        with pytest.raises(CourseError, match="every R-th line"):
            sampling.spacing(mask)


def test_acs_is_the_gapless_centre():
    assert sampling.acs(sampling.uniform(32, 4, 8, offset=3)) == (11, 20)  # the block 12..19 and line 11 beside it
    assert sampling.acs(sampling.uniform(33, 4, 8, offset=2)) == (13, 21)
    assert sampling.acs(sampling.uniform(16, 4, offset=3)) == (8, 8)  # line 7 is there, the centre 8 is not
    assert sampling.acs(torch.ones(1, 1, 1, 7)) == (0, 7)
    plane = torch.zeros(1, 1, 9, 9)
    plane[..., 3:6, 2:7] = 1
    assert sampling.acs(plane) == (2, 7)


def test_within_clears_the_padding_only():
    mask = sampling.within(torch.ones(1, 1, 1, 10), 2, 7)
    assert mask.flatten().tolist() == [0, 0, 1, 1, 1, 1, 1, 0, 0, 0]


def test_psf_of_uniform_lines_has_a_copy_every_width_over_r_pixels():
    spread = sampling.psf(sampling.uniform(32, 4)).abs()[0, 0, 0]
    peaks = torch.nonzero(spread > 1e-6).flatten().tolist()
    assert peaks == [0, 8, 16, 24] and torch.allclose(spread[peaks], torch.ones(4))
    centre = sampling.psf(sampling.kt(31, 1, 31 / 5, calibration=5))[0, 0, 0, 0]  # 5 lines around k = 0
    assert centre[15].real == pytest.approx(1) and (centre[13:18].real > 0.5).all() and centre.imag.abs().max() < 1e-6


@pytest.mark.parametrize("tiny, degrees", [(1, 111.2461), (2, 68.7539), (7, 23.6281)])
def test_golden_angle_turns_by_the_golden_angle(tiny, degrees):
    trajectory = sampling.golden_angle(5, 16, tiny)
    assert trajectory.shape == (5, 16, 2) and trajectory.dtype == torch.float64
    assert (trajectory[:, 8] == 0).all() and trajectory.abs().max() <= 0.5
    assert torch.allclose(trajectory[0, :, 1], torch.arange(-8, 8).double() / 16) and (trajectory[0, :, 0] == 0).all()
    ends = trajectory[:, -1] / trajectory[:, -1].norm(dim=-1, keepdim=True)
    turn = torch.atan2(ends[:, 0], ends[:, 1]).diff().remainder(2 * math.pi).rad2deg()
    assert torch.allclose(turn, torch.full_like(turn, degrees), atol=1e-3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: sampling.uniform(32, 0.5),
        lambda: sampling.uniform(32, 4, offset=4),
        lambda: sampling.uniform(32, 4, calibration=33),
        lambda: sampling.random(0, 4, 0.08, seed=0),
        lambda: sampling.equispaced(32, 8, 0.5, seed=0),
        lambda: sampling.poisson((32, 32), 8, calibration=20),
        lambda: sampling.kt(32, 4, 8, calibration=8),
        lambda: sampling.effective_acceleration(torch.zeros(1, 1, 1, 8)),
        lambda: sampling.effective_accelerations([]),
    ],
)
def test_impossible_masks_are_refused_in_one_line(make):
    with pytest.raises(CourseError) as error:
        make()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("width", [48, 31])
def test_low_resolution_is_the_gapless_centre_and_nothing_else(width, factor):
    mask = sampling.centre(width, factor)
    start, stop = sampling.acs(mask)
    assert mask.shape == (1, 1, 1, width) and mask.sum() == stop - start == round(width / factor)
    assert abs((start + stop - 1) / 2 - width // 2) <= 0.5 or factor == 1  # k = 0 lies in its middle
    block = sampling.centre((width, 24), factor)
    assert torch.equal(block[0, 0], torch.outer(mask.flatten(), sampling.centre(24, factor).flatten()))


def test_low_resolution_needs_a_line():
    for factor in (0.5, 100):
        with pytest.raises(CourseError, match="low resolution"):
            sampling.centre(32, factor)


def test_lines_are_dealt_out_so_that_none_is_missing_on_average():
    """Given the first look, what is left has a mean of 1 on every line that the first look lacks."""
    total, lacking = torch.zeros(40), torch.zeros(40)
    for seed in range(4000):
        looks = sampling.deal(sampling.random(40, 3, 0.1, seed), share=0.6, centre=0.1)
        total += (looks.weight * looks.second).flatten()
        lacking += (looks.first == 0).flatten()
    mean = (total / lacking.clamp_min(1))[lacking > 100]
    assert len(mean) == 36 and abs(mean.mean() - 1) < 0.05 and (mean - 1).abs().max() < 0.3


def test_both_looks_are_the_scan_and_the_centre_goes_to_the_first():
    mask = torch.cat([sampling.random(40, 3, 0.1, seed) for seed in (1, 2)])
    looks = sampling.deal(mask, share=0.5, centre=0.1)
    assert torch.equal(looks.first + looks.second, mask) and not (looks.first * looks.second).any()
    assert looks.first[..., 18:22].all() and looks.second.any() and looks.weight.shape == (2, 1, 1, 1)
    assert torch.equal(looks.first, sampling.deal(mask, share=0.5, centre=0.1).first)
    assert torch.equal(looks.whole, looks.first + looks.weight * looks.second)
