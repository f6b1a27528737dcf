"""Point spread functions: the image of a point, checked against the operators that blur it."""

import pytest
import torch

from course_lib import sampling
from course_lib.errors import CourseError
from course_lib.ops import Radial, Wavelet, fft2c, ifft2c, ramp
from course_lib.sampling import golden_angle, poisson, psf, side_lobe, trajectory_psf, transform_psf
from course_lib.teach import patterns


def point(height, width):
    x = torch.zeros(1, 1, height, width, dtype=torch.complex128)
    x[..., height // 2, width // 2] = 1
    return x


@pytest.mark.parametrize("shape", [(16, 16), (15, 22)])
def test_of_a_mask_it_is_the_point_seen_through_it(shape):
    mask = poisson(shape, 3, seed=1).double()
    seen = ifft2c(mask * fft2c(point(*shape)))
    spread = psf(mask)
    assert torch.allclose(spread, seen / seen.abs().max(), atol=1e-12)
    assert spread[0, 0, shape[0] // 2, shape[1] // 2].real == pytest.approx(1)


@pytest.mark.parametrize("compensated", [False, True])
def test_of_a_trajectory_it_is_the_point_through_the_non_uniform_transform(compensated):
    spokes, shape = golden_angle(9, 40), (20, 17)
    weights = ramp(spokes, shape) if compensated else None
    A = Radial(spokes, shape, weights, 2, 8)
    seen = A.N(point(*shape))
    spread = trajectory_psf(spokes, shape, weights)
    assert spread.shape == (1, 1, *shape)
    assert (spread - seen / seen.abs().max()).abs().max() < 1e-6


def test_compensation_narrows_the_peak():
    spokes, shape = golden_angle(101, 64), (32, 32)
    plain, weighted = (trajectory_psf(spokes, shape, w).abs()[0, 0, 16] for w in (None, ramp(spokes, shape)))
    assert weighted[17] < 0.5 * plain[17]


def test_side_lobes_are_copies_of_regular_masks_and_noise_of_random_ones():
    regular, random = sampling.uniform(64, 4), sampling.random(64, 4, 0.0, seed=2)
    assert side_lobe(psf(regular)) == pytest.approx(1)
    assert side_lobe(psf(random)) < 0.8
    assert side_lobe(psf(poisson((64, 64), 4))) < side_lobe(psf(random))
    assert side_lobe(psf(torch.ones(1, 1, 1, 64))) < 1e-6


def test_side_lobes_beyond_the_peaks_own_width():
    centre = torch.zeros(1, 1, 1, 64)
    centre[..., 24:40] = 1
    spread = psf(centre).expand(1, 1, 1, 64)
    assert side_lobe(spread) > 0.9  # blur: the neighbour
    assert side_lobe(spread, beyond=4) == pytest.approx(0.2172, rel=0.05)  # the first lobe of a sinc
    shifted = spread.roll(5, -1)
    assert side_lobe(shifted, at=(0, 37)) == pytest.approx(side_lobe(spread))
    with pytest.raises(CourseError, match="one point spread"):
        side_lobe(torch.ones(2, 1, 8, 8))


def test_the_transform_spread_of_the_identity_is_the_spread_itself():
    mask = poisson((32, 32), 4)
    spread = transform_psf(mask, lambda x: x, lambda x: x, (16, 16))
    assert torch.allclose(spread, psf(mask)[0], atol=1e-5)
    lines = sampling.random(32, 3, 0.1, seed=0)
    spread = transform_psf(lines, lambda x: x, lambda x: x, (16, 16))
    assert torch.allclose(spread[0, 16], psf(lines)[0, 0, 0], atol=1e-5)


def test_coarse_wavelets_mix_less_where_the_centre_is_dense():
    """Lustig 2007: a variable density protects the coarse scales."""
    W, dense = Wavelet(3), sampling.poisson((64, 64), 4, calibration=12)
    flat = (torch.rand(1, 1, 64, 64) < 0.25).float()
    coarse, fine = (3, 3), (40, 40)
    lobes = {at: [side_lobe(transform_psf(m, W, W.H, at), at) for m in (dense, flat)] for at in (coarse, fine)}
    assert lobes[coarse][0] < 0.5 * lobes[coarse][1]
    assert lobes[coarse][0] < 0.5 * lobes[fine][0]


def test_the_dictionary_draws_patterns_above_their_spreads():
    spokes = golden_angle(8, 64)
    masks = {"regular": sampling.uniform(32, 4), "Poisson": poisson((32, 32), 4)}
    figure = patterns.dictionary(masks, {"radial": spokes}, (32, 32))
    titled = [axis for axis in figure.axes if axis.get_title()]
    assert [axis.get_title() for axis in titled] == ["regular", "Poisson", "radial"]
    assert len(titled[2].lines) == 8 and len(titled[0].images) == 1
    below = [axis for axis in figure.axes if "side lobe" in axis.get_xlabel()]
    assert [axis.get_xlabel().split()[-1] for axis in below] == [
        "1.00",
        *(
            f"{side_lobe(s):.2f}"
            for s in (psf(masks["Poisson"]), trajectory_psf(spokes, (32, 32), ramp(spokes, (32, 32))))
        ),
    ]
    assert all(image.get_clim() == (-3, 0) for axis in below for image in axis.images)
    assert "regular: effective acceleration 4.00, side lobe 1.00" in figure.alt
    assert "radial: 8 spokes" in figure.alt
