"""Films have the truth that they promise, and what is measured on them is that truth."""

import math

import pytest
import torch

from course_lib import build, clinical, fit
from course_lib.data import cine, moving, stack
from course_lib.data.phantom import phantom_sample
from course_lib.data.phase import smooth_phase
from course_lib.errors import CourseError, ShapeError
from course_lib.ops import FiniteDifference, Sense, TimeDifference, fft2c
from course_lib.scores import bootstrap
from course_lib.solve import power


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_drawn_ventricle_has_the_area_of_the_formula(seed):
    """Counted on the magnitude of the film alone: blood against muscle, at any size."""
    for size in (48, 64):
        h = moving.heart(seed, size, 5)
        measured = clinical.ventricle_area(h.film, h.region, h.pixel)[0]
        assert (measured / h.area - 1).abs().max() < 0.06


def test_a_rendered_ellipse_covers_pi_a_b():
    for radii in ((2.0, 1.3), (0.7, 1.1)):
        covered = moving.coarse(moving.within(192, 20.0, torch.tensor([0.4, -1.1]), torch.tensor(radii), 0.6))
        assert float(covered.sum()) * (20 / 48) ** 2 == pytest.approx(math.pi * radii[0] * radii[1], rel=0.02)


def test_the_heart_contracts_as_told_and_its_length_follows():
    h = moving.heart(5, 48, 40, contraction=0.3)
    assert float(h.area.amin() / h.area.amax()) == pytest.approx(0.7**2, abs=0.01)
    assert float(h.length.amin() / h.length.amax()) == pytest.approx(1 - 0.3 * 0.3, abs=0.01)
    still = moving.heart(5, 48, 4, contraction=0.0)
    assert torch.equal(still.film[:, 0], still.film[:, 3])
    assert not torch.equal(moving.heart(6, 48, 4).film, moving.heart(7, 48, 4).film)
    assert torch.equal(moving.heart(6, 48, 4).film, moving.heart(6, 48, 4).film)


def test_the_region_holds_the_ventricle_and_nothing_bright_beside_it():
    h = moving.heart(9, 96, 3)
    assert float(h.region.sum()) * h.pixel**2 > 1.2 * float(h.area.amax())


def test_volumes_and_ejection_fraction_are_the_formulas():
    v = clinical.volume(torch.tensor([12.0, 6.0]), torch.tensor([7.2, 6.0]))
    assert torch.allclose(v, torch.tensor([72.0, 30.0]))
    assert float(clinical.ejection_fraction(v)) == pytest.approx(42 / 72)
    assert clinical.ejection_fraction(torch.stack([v, v.flip(0)])).shape == (2,)


def test_area_counts_each_film_on_its_own_scale():
    h = moving.heart(4, 48, 3)
    both = torch.cat([h.film, 7j * h.film])
    areas = clinical.ventricle_area(both, h.region, h.pixel)
    assert torch.allclose(areas[0], areas[1], rtol=1e-3)


@pytest.mark.parametrize("seed", [1, 4])
def test_velocity_is_recovered_from_fully_sampled_data(seed):
    v = moving.vessels(seed, 48, 3)
    s = cine.lines(v.film, 1, seed, noise=0.0)
    found = clinical.velocity(s.A.H(s.kspace), v.venc)[0]
    inside = v.part.sum(0) > 0.999
    assert v.velocity.abs().max() > 40 and (found - v.velocity)[:, inside].abs().max() < 0.5
    assert float(clinical.velocity_error(s.A.H(s.kspace), v.velocity, v.part.sum(0), v.venc)) < 1.5


def test_flow_through_a_vessel_is_half_the_peak_times_the_area():
    v = moving.vessels(2, 96, 4)
    speed = clinical.velocity(v.film, v.venc)
    for part, radius, true in zip(v.part, v.radius, v.flow):
        assert float(part.sum()) * v.pixel**2 == pytest.approx(math.pi * float(radius) ** 2, rel=0.03)
        assert torch.allclose(clinical.flow(speed, part, v.pixel)[0], true, rtol=0.05)


def test_velocity_has_the_sign_of_the_encoded_image_and_wraps_beyond_venc():
    angle = torch.tensor([[0.3, 2.0, -3.0, 0.0], [0.3 + 1.0, 2.0 - 1.0, 3.0, 4.0]])[None, :, None]
    pair = torch.polar(torch.ones(1, 2, 1, 4), angle)
    found = clinical.velocity(pair, 150.0) * math.pi / 150
    assert torch.allclose(found[0, 0], torch.tensor([1.0, -1.0, 6.0 - 2 * math.pi, 4.0 - 2 * math.pi]), atol=1e-5)


def test_limits_of_agreement_are_bland_and_altman_s():
    truth = torch.zeros(200).double()
    measured = 3 + 2 * torch.randn(200, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = clinical.bland_altman(measured, truth)
    assert found.bias.mean == pytest.approx(3, abs=0.4) and found.bias.low < 3 < found.bias.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * float(measured.std()), rel=1e-6)
    assert found.bias == bootstrap(measured) and "limits" in str(found)
    with pytest.raises(CourseError, match="two pairs"):
        clinical.bland_altman(measured[:1], truth[:1])


def test_one_phase_serves_all_frames_and_encodings():
    s = phantom_sample(24, 24, extra=(2, 3))
    assert s.image.shape == (1, 2, 3, 24, 24) and s.mask.shape == (1, 1, 2, 3, 1, 24)
    y, A = s.kspace, Sense(s.mask, s.maps)
    assert smooth_phase(y, A).shape == (1, 1, 1, 24, 24)
    moved = moving.vessels(3, 24, 2).film
    kept = cine.lines(moved, 1, 3, noise=0.0)
    ratio = kept.image[:, 1] * kept.image[:, 0].conj()
    assert torch.allclose(ratio.angle(), (moved[:, 1] * moved[:, 0].conj()).angle(), atol=1e-3)


@pytest.mark.parametrize("along", ["lines", "spokes"])
def test_the_data_are_those_of_the_image(along):
    film = moving.heart(3, 32, 4).film
    s = cine.lines(film, 2, 5, noise=0.0) if along == "lines" else cine.spokes(film, 9, 5, noise=0.0)
    assert (s.A(s.image) - s.kspace).norm() < 2e-3 * s.kspace.norm()
    frames = s.A.H(s.kspace)
    assert frames.shape == s.image.shape and (frames[:, 0] - frames[:, 1]).abs().max() > 0.05


def test_lines_change_from_frame_to_frame_and_both_encodings_have_them():
    s = cine.lines(moving.vessels(1, 24, 4).film, 3, 0)
    assert s.mask.shape == (1, 1, 1, 4, 1, 24) and s.kspace.shape == (1, 4, 2, 4, 24, 24)
    assert (s.kspace[:, :, 0].abs().amax((1, 3)) > 0).equal(s.kspace[:, :, 1].abs().amax((1, 3)) > 0)
    assert not torch.equal(s.mask[..., 0, :, :], s.mask[..., 1, :, :])


def test_spokes_go_on_turning_from_frame_to_frame():
    trajectory = cine.spokes(moving.heart(1, 16, 3).film, 2, 0).radial.trajectory
    ends = trajectory[:, :, 0].flatten(0, 1)
    angle = torch.atan2(ends[:, 0], ends[:, 1])
    steps = angle.diff() % math.pi
    assert torch.allclose(steps, steps[:1].expand(5), atol=1e-6) and float(steps[0]) == pytest.approx(
        math.radians(23.63), abs=1e-3
    )


def test_noise_has_the_strength_that_is_asked_for():
    film = moving.heart(2, 32, 3).film
    g = torch.Generator().manual_seed(0)
    clean, noisy = (cine.noisy(fft2c(film)[:, None], film, noise, g) for noise in (0.0, 0.05))
    bright = film.abs().flatten().quantile(0.99)
    assert float((noisy - clean).abs().square().mean().sqrt() / bright) == pytest.approx(0.05, rel=0.05)


def test_the_real_film_moves_and_is_the_same_for_the_same_seed():
    film = cine.real_film(1, 32, 4)
    assert film.shape == (1, 4, 32, 32) and film.isfinite().all()
    assert torch.equal(film, cine.real_film(1, 32, 4)) and not torch.equal(film, cine.real_film(2, 32, 4))
    assert (film[0].abs().diff(dim=0).abs().mean() / film.abs().mean()) > 0.05
    assert (film[0, 0].abs() - cine.real_film(2, 32, 4)[0, 0].abs()).abs().mean() < 0.05  # only the phase is drawn


def test_a_radial_film_trains_and_cannot_be_stacked():
    films = [cine.spokes(moving.heart(i, 16, 4).film, 5, i, coils=1) for i in range(2)]
    model = build("unet_3d", width=2, depth=1)
    assert fit(model, films, films[:1], 0.5, lr=1e-3, checks=1, progress=False).steps > 0
    assert stack(films[:1]) is films[0] and films[0].to("cpu").A.radial is films[0].radial
    with pytest.raises(ShapeError, match="cannot be one batch"):
        stack(films)


def test_methods_of_films_say_what_they_need():
    s = phantom_sample(16, 16)
    with pytest.raises(ShapeError, match="batch, channel, time, height, width"):
        build("unet_3d", width=2, depth=1)(s.kspace, s.A)
    with pytest.raises(ShapeError, match="batch, 2, time"):
        build("phase_contrast", width=2, depth=1)(s.kspace, s.A)
    with pytest.raises(ShapeError, match="batch, time, height, width"):
        build("crnn", width=2)(s.kspace, s.A)


def test_a_recurrent_network_takes_lines_and_spokes():
    film = moving.heart(1, 16, 4).film
    for s in (cine.lines(film, 2, 1, coils=2), cine.spokes(film, 5, 1, coils=2)):
        assert build("crnn", iterations=2, width=2)(s.kspace, s.A).shape == s.image.shape


def test_differences_in_time_see_time_only():
    x = torch.randn(1, 3, 4, 5).expand(1, 3, 4, 5) + 0j
    same = x[:, :1].expand(1, 3, 4, 5)
    assert not TimeDifference()(same).any()
    assert torch.equal(TimeDifference()(x)[0, 0, 2], x[0, 0] - x[0, 2])  # the beat is a circle


def test_differences_in_time_and_space_are_both_and_their_norm_is_bounded():
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)) + 0j
    y = TimeDifference(space=0.5)(x)
    assert torch.equal(y[:, :1], TimeDifference()(x)) and torch.equal(y[:, 1:], 0.5 * FiniteDifference()(x))
    norm = power(TimeDifference(space=0.5).N, x, iterations=200).item()
    assert 0.9 * 6 < norm <= 6  # 4 + 8 / 4


def test_total_variation_in_time_keeps_a_still_heart_and_smooths_a_moving_one():
    still = cine.lines(moving.heart(1, 32, 6, contraction=0.0).film, 3, 1, noise=0.0)
    zero_filled, tv = build("zero_filled"), build("cs_tv", lam=0.05, iterations=60, D=TimeDifference())
    error = [(m(still.kspace, still.A) - still.image).norm() / still.image.norm() for m in (zero_filled, tv)]
    assert error[1] < 0.3 * error[0]
