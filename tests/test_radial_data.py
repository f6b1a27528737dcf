"""Radial scans for every method: the real ones are what the files hold, the simulated ones fit their model."""

import math

import pytest
import torch

from course_lib import METHODS, build, evaluate, metrics, tune
from course_lib.check import small
from course_lib.data import radial
from course_lib.data.embedded import arrays
from course_lib.data.phantom import coil_maps, ellipses
from course_lib.errors import CourseError, ShapeError
from course_lib.ops import Coils, Radial, RadialSense, ramp
from course_lib.sampling import golden_angle
from course_lib.solve import power, safe_step

GRID = {  # they fill samples of a Cartesian grid
    "e2e_varnet",
    *("sense", "grappa", "spirit", "aloha", "loraks", "raki", "rraki"),
    *("deep_spirit", "kspace_unet", "w_net", "kiki_net", "cp_net", "pd_net"),
    *("deep_basis_pursuit", "gan_prior", "adapted_gan"),
}


@pytest.fixture(scope="module")
def brain():
    return radial.brain(64, 48, 4)


@pytest.fixture(scope="module")
def subject():
    return radial.simulated("val", 24, limit=2)


def inside(sample):
    return (sample.A.maps != 0).any(1)


def test_one_operator_is_radial_times_coils_and_shares_what_it_prepares():
    spokes, maps = golden_angle(7, 16), coil_maps(3, 8, 8)
    F, x = Radial(spokes, (8, 8)), torch.randn(1, 8, 8, dtype=torch.complex64)
    A = RadialSense(F, maps)
    assert torch.equal(A(x), (F @ Coils(maps))(x)) and torch.equal(A.N(x), (F @ Coils(maps)).N(x))
    assert A.to("cpu").radial is F and A.maps is maps
    with pytest.raises(ShapeError, match="RadialSense"):
        RadialSense(F, maps[..., :7])


def test_the_real_brain_holds_the_files_spokes_with_white_noise(brain):
    file = arrays("radial")
    assert brain.kspace.shape == (1, 4, 64, 96) and brain.image.shape == (1, 48, 48)
    middle = torch.from_numpy(file["brain_trajectory"]).double()[:, 208:304]
    assert torch.allclose(brain.A.radial.trajectory, middle * 256 / 48, atol=1e-6)
    noise = radial._white(radial._complex(file, "brain")[None])[..., :24].flatten(2)[0]
    covariance = noise @ noise.mH / noise.shape[-1]
    assert (covariance.diagonal().real - 1).abs().max() < 0.35
    assert (covariance - covariance.diagonal().diag()).abs().max() < 0.35


def test_fewer_spokes_are_some_of_the_same_spokes(brain):
    few = radial.brain(16, 48, 4)
    assert torch.equal(few.A.radial.trajectory, brain.A.radial.trajectory[::4])
    every = brain.kspace[:, :, ::4] * 2  # a spoke of 16 stands for four times the area of one of 64
    ratio = few.kspace / every
    assert (ratio - ratio[0, 0, 0, 0]).abs().max() < 1e-3 * ratio.abs().max()
    assert metrics.nrmse(few.image * ratio.abs().mean() ** -1, brain.image).item() < 1e-3


def test_data_and_model_share_the_areas_so_the_adjoint_is_gridding(brain):
    w = brain.A.radial.weights
    assert torch.allclose(w, ramp(brain.A.radial.trajectory, (48, 48)))
    plain = RadialSense(Radial(brain.A.radial.trajectory, (48, 48)), brain.A.maps)
    y = brain.kspace / w.sqrt().float()
    gridded = build("gridding")(y, plain)
    assert metrics.nrmse(gridded, build("gridding")(brain.kspace, brain.A)).item() < 1e-5
    assert metrics.nrmse(gridded, build("zero_filled")(brain.kspace, brain.A)).item() < 1e-5
    level = build("gridding")(brain.kspace, brain.A).abs().flatten().quantile(0.99).item()
    assert level == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("load", [lambda: radial.brain(64, 48, 4), lambda: radial.golden_scan(1, 34, 48)])
def test_maps_from_the_data_explain_the_data(load):
    sample = load()
    strength = sample.A.maps.abs().square().sum(1)[inside(sample)]
    assert (strength - 1).abs().max() < 1e-3
    assert 0.2 < inside(sample).float().mean() < 0.9
    coils = sample.A.radial.H(sample.kspace)
    seen = sample.A.maps * (sample.A.maps.conj() * coils).sum(1, keepdim=True)
    support = inside(sample)[:, None]
    assert ((coils - seen) * support).norm() < 0.2 * (coils * support).norm()


def test_the_image_is_almost_real(brain, subject):
    for sample in (brain, *subject):
        assert sample.image.real.sum() > 0
        assert sample.image.imag.norm() < 0.5 * sample.image.norm()


def test_golden_scan_turns_by_the_golden_angle():
    sample = radial.golden_scan(2, 21, 32)
    ends = sample.A.radial.trajectory[:, -1]
    turn = torch.atan2(ends[:, 1], ends[:, 0]).diff() * 180 / math.pi % 360
    assert sample.kspace.shape == (1, 5, 21, 64)
    assert ((turn - 111.246) % 360).abs().max() < 0.01


def test_cutting_a_spoke_keeps_the_field_of_view_and_the_brightness():
    """The same smooth object, measured for 40 pixels and cut to 20, is what 20 pixels would have given."""
    spokes = golden_angle(61, 80)

    def blob(n):
        rows = (torch.arange(n) - n // 2) / n
        return torch.exp(-40 * ((rows[:, None] - 0.05) ** 2 + (rows + 0.1) ** 2))[None, None].to(torch.complex64)

    y, kept = radial.cut(Radial(spokes, (40, 40))(blob(40)), spokes, 20)
    coarse = Radial(kept, (20, 20))(blob(20))
    assert kept.abs().max() <= 0.5 and y.shape == coarse.shape
    assert (y - coarse).norm() < 0.01 * coarse.norm()


def test_a_simulated_subject_fits_its_model_up_to_its_noise(subject):
    assert len(subject) == 2 and len({id(s.A.radial) for s in subject}) == 1
    for sample in subject:
        assert sample.kspace.shape[2:] == (24, 2 * sample.image.shape[-1])
        misfit = (sample.A(sample.image) - sample.kspace).norm() / sample.kspace.norm()
        assert 1e-3 < misfit < 0.25


def test_every_method_takes_radial_data(subject):
    sample = subject[0]
    for name in METHODS.keys() & GRID:
        with pytest.raises(CourseError, match="points of a grid.*found RadialSense|the size it was built for"):
            small(name, size=tuple(sample.image.shape[-2:]))(sample.kspace, sample.A)
    for name in [name for name, card in METHODS.items() if name not in GRID and not card.extra]:
        with torch.no_grad():
            x = small(name, size=tuple(sample.image.shape[-2:]))(sample.kspace, sample.A)
        assert x.shape == sample.image.shape and x.dtype == torch.complex64 and x.isfinite().all(), name
        assert not x[~inside(sample)].any(), name


def test_conjugate_gradients_and_tv_beat_gridding(subject):
    def tv(lam):
        return build("cs_tv", lam=lam, iterations=30)

    models = [build("gridding"), build("sense_cg"), tv(tune(tv, subject, [5e-4, 2e-3, 5e-3]))]
    gridding, conjugate, tv_error = (evaluate(model, subject).mean("nrmse") for model in models)
    assert gridding > 1.1 * conjugate and conjugate > 1.1 * tv_error


def test_a_safe_step_is_one_over_the_largest_eigenvalue(subject):
    A, x = subject[0].A, subject[0].image
    largest = power(A.N, torch.randn_like(x), 200).item()
    assert largest > 1.1  # so a step of 1 is too long
    assert 0.9 < safe_step(A, x).item() * largest <= 1
    both = safe_step(RadialSense(A.radial, torch.cat([A.maps, 2 * A.maps])), x.expand(2, -1, -1)).flatten()
    assert both[1].item() == pytest.approx(both[0].item() / 4, rel=1e-3)


@pytest.mark.parametrize("name, settings", [("cs_tv", {"inner": 20}), ("cs_wavelet", {"shifts": False})])
def test_compressed_sensing_finds_the_same_image_whatever_the_scale_of_the_model(name, settings):
    """Three times A and y, nine times lam: the same problem."""
    F, maps = radial.golden(9, (24, 24)), coil_maps(3, 24, 24)
    A, triple = RadialSense(F, maps), RadialSense(F, 3 * maps)
    y = A(ellipses(24, 24))
    once = build(name, lam=0.02, iterations=200, **settings)(y, A)
    thrice = build(name, lam=0.18, iterations=200, **settings)(3 * y, triple)
    assert metrics.nrmse(thrice, once).item() < 2e-3


def test_wrong_requests_are_told():
    with pytest.raises(CourseError, match="divisor of 64"):
        radial.brain(10, 32, 2)
    with pytest.raises(CourseError, match="at most 256"):
        radial.brain(64, 300, 2)
    with pytest.raises(CourseError, match="1 to 34"):
        radial.golden_scan(0, 35, 32)


def test_a_slice_is_read_off_along_the_spokes():
    """Without coils, noise and phase: the data are the Fourier transform of the image at the spokes."""
    F = radial.golden(9, (16, 16))
    image = ellipses(16, 16)
    data = F(image[:, None])
    sample = radial.prepared(data, F, torch.ones(1, 1, 16, 16, dtype=torch.complex64), image)
    assert (sample.A(sample.image) - sample.kspace).norm() < 1e-4 * sample.kspace.norm()
