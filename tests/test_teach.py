"""Figures say what is there: one window, errors with their sign, nothing cut off in silence, words for each picture."""

import io
import subprocess
import sys

import matplotlib
import pytest
import torch
from matplotlib.image import imread

from course_lib import metrics, sampling
from course_lib.errors import CourseError, ShapeError
from course_lib.teach import figures, inverse, picture
from course_lib.train import Run


@pytest.fixture
def truth():
    return torch.rand(1, 24, 20) + 0.5


@pytest.fixture
def panels(truth):
    return {"bright": truth * 1.2, "dark": truth * torch.polar(torch.tensor(0.7), torch.tensor(2.0)), "same": -truth}


def drawn(figure):
    return {axis.get_title(): axis.images[0] for axis in figure.axes if axis.images and axis.get_title()}


def in_row(figure, row):
    places = [a for a in figure.axes if a.get_subplotspec() is not None]
    return [a for a in places if a.get_subplotspec().rowspan.start == row and a.get_label() != "<colorbar>"]


def texts(figure):
    return [axis.get_xlabel() for axis in figure.axes]


def level(x):
    """Half a percent of the pixels are brighter."""
    return float(x.flatten().sort().values[int(0.995 * x.numel()) - 1])


def test_all_panels_share_one_window(panels, truth):
    windows = {image.get_clim() for image in drawn(figures.images(panels, truth)).values()}
    assert windows == {(0.0, level(truth))}
    alone = {image.get_clim() for image in drawn(figures.images(panels)).values()}
    assert alone == {(0.0, level(1.2 * truth))}
    assert {image.get_clim() for image in drawn(figures.images(panels, truth, window=(0.1, 0.4))).values()} == {
        (0.1, 0.4)
    }


def test_the_error_has_its_sign_and_a_symmetric_scale_that_holds_it_all(panels, truth):
    shown = [a.images[0] for a in in_row(figures.images(panels, truth), 1) if a.images]
    bright, dark, same = (image.get_array() for image in shown)
    assert (bright > 0).all() and (dark < 0).all() and abs(same).max() < 1e-6
    for image in shown:
        low, high = image.get_clim()
        assert low == -high and high == pytest.approx(float(0.3 * truth.max()), rel=1e-5)


def test_a_smaller_error_scale_says_that_values_lie_outside(panels, truth):
    ends = lambda figure: next(a for a in figure.axes if a.get_label() == "<colorbar>")._colorbar.extend
    assert ends(figures.images(panels, truth)) == "neither"
    assert ends(figures.images(panels, truth, error_limit=0.01)) == "both"
    values = {"a": truth}
    assert ends(figures.heat(values, "g")) == "neither" and ends(figures.heat(values, "g", window=(0, 1))) == "max"


def test_metrics_under_a_panel_are_those_of_the_library(panels, truth):
    x, ref = panels["dark"], truth
    said = texts(figures.images({"dark": x}, ref))
    assert f"NRMSE {metrics.nrmse(x, ref).item():.3f}\nPSNR {metrics.psnr(x, ref).item():.1f} dB\n" in "".join(said)
    assert f"SSIM {metrics.ssim(x, ref).item():.3f}" in "".join(said)


def test_the_zoom_shows_that_part(truth):
    figure = figures.images({"x": truth}, zoom=(3, 5, 8, 6))
    assert torch.equal(torch.as_tensor(in_row(figure, 1)[0].images[0].get_array().data), truth[0, 3:11, 5:11])
    low, high = in_row(figure, 1)[0].images[0].get_clim()
    shares = [(truth[0, 3:11, 5:11] < low).float().mean(), (truth[0, 3:11, 5:11] > high).float().mean()]
    assert all(0.03 < share < 0.07 for share in shares)  # a window of its own, which the first panel sets
    pale = figures.images({"x": truth, "pale": truth / 2}, zoom=(3, 5, 8, 6))
    assert {axis.images[0].get_clim() for axis in in_row(pale, 1)} == {(low, high)}
    assert figures.images({"flat": 0 * truth}, zoom=(3, 5, 8, 6)).png().startswith(b"\x89PNG")
    for outside in ((20, 0, 8, 6), (0, 15, 8, 6), (-1, 0, 4, 4), (0, 0, 0, 4)):
        with pytest.raises(CourseError, match="zoom"):
            figures.images({"x": truth}, zoom=outside)


def test_a_smooth_ramp_stays_smooth():
    """A question such as "is it blocky?" must not be answered by the colour scale, nor by the file."""
    ramp = torch.linspace(0, 1, 200).expand(1, 200, 200)
    shades = imread(io.BytesIO(figures.images({"ramp": ramp}, window=(0, 1)).png()))[-100]  # a row through it
    assert len(set(shades[:, 0].tolist())) > 120


def test_our_data_are_shown_as_stored_and_flip_turns_them_over(truth):
    for flip, expected in ((False, truth[0]), (True, truth[0].flip(0))):
        (image,) = drawn(figures.images({"x": truth}, flip=flip)).values()
        assert torch.equal(torch.as_tensor(image.get_array().data), expected) and image.origin == "upper"


@pytest.mark.parametrize("bad", [torch.ones(2, 24, 20), torch.ones(20)])
def test_more_than_a_slice_is_an_error_that_says_so(bad):
    with pytest.raises(ShapeError, match="one slice"):
        figures.images({"x": bad})


def test_panels_of_different_size_are_an_error(truth):
    with pytest.raises(ShapeError, match="differ in size"):
        figures.images({"a": truth, "b": truth[:, 1:]})


def test_kspace_is_in_decades_below_its_largest():
    k = torch.ones(1, 1, 8, 8, dtype=torch.complex64)
    k[..., 4, 4], k[..., 0, 0] = 1000, 0
    image = drawn(figures.kspace({"k": k}))["k"]
    values = image.get_array()
    assert values[4, 4] == 0 and values[1, 1] == pytest.approx(-3) and values[0, 0] == -5


def test_coils_of_kspace_are_summed_as_energy():
    k = torch.tensor([3.0, 4.0]).reshape(1, 2, 1, 1).expand(1, 2, 8, 8).to(torch.complex64)
    both, one = (drawn(figures.kspace({"k": x, "five": k[:, :1] * 5 / 3}))["k"].get_array() for x in (k, k[:, :1]))
    assert both[0, 0] == pytest.approx(0, abs=1e-6) and one[0, 0] == pytest.approx(-0.2218, abs=1e-3)


def test_a_mask_prints_its_effective_acceleration():
    figure = figures.mask({"lines": sampling.uniform(16, 2), "plane": sampling.poisson((16, 16), 4)})
    assert "effective R = 2.00" in texts(figure) and "effective acceleration 2.00" in figure.alt
    assert drawn(figure)["lines"].get_array().shape == (16, 16)


def test_maps_show_every_coil_twice_and_no_phase_where_there_is_none():
    coils = torch.polar(torch.rand(1, 9, 8, 8), torch.rand(1, 9, 8, 8))
    coils[..., :4] = 0
    figure = figures.maps(coils)
    shown = [a.images[0] for a in figure.axes if a.images]
    assert len(shown) == 18 and figure.alt.startswith("9 coil maps")
    phases = [image.get_array() for image in shown if image.get_clim()[0] < 0]
    assert len(phases) == 9 and all(p.mask[:, :4].all() and not p.mask[:, 4:].any() for p in phases)


def test_heat_has_one_window_and_says_the_median():
    values = {"a": torch.full((8, 8), 2.0), "b": torch.full((8, 8), 3.0)}
    values["a"][0, 0] = torch.nan
    figure = figures.heat(values, "g")
    assert {image.get_clim() for image in drawn(figure).values()} == {(0, 3)}
    assert "median 2" in texts(figure) and "b, median 3" in figure.alt


def test_lines_mark_the_lowest_value():
    scales = [figures.lines({"a": [1.0, 0.01]}, "x", "y", log=on).axes[0].get_yscale() for on in (False, True)]
    assert scales == ["linear", "log"]
    figure = figures.lines({"a": [3.0, 1.0, 2.0], "b": [1.0, 2.0, 3.0]}, "iteration", "error", lowest=True)
    dots = [tuple(map(float, line.get_xydata()[0])) for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert dots == [(2, 1), (1, 1)]
    assert len({line.get_color() for line in figure.axes[0].lines}) == 2


@pytest.mark.parametrize("steps", [1, 5, 100])
def test_training_curves_show_loss_validation_and_dashed_baselines(steps):
    run = Run({}, 9.0, [1 / (i + 1) for i in range(steps)], [[3.0, 20.0], [9.0, 25.0]])
    figure = figures.curves(run, {"cs_tv": 26.0})
    dashed = [line for line in figure.axes[1].lines if line.get_linestyle() == "--"]
    assert [line.get_ydata()[0] for line in dashed] == [26.0] and dashed[0].get_label() == "cs_tv"
    assert "20.00 to 25.00 dB; cs_tv 26.00 dB" in figure.alt
    assert figure._repr_mimebundle_()


@pytest.mark.parametrize(("losses", "scale"), [([2.0, 1.0], "log"), ([0.5, -0.5], "linear")])
def test_a_loss_that_may_be_negative_has_no_logarithm(losses, scale):
    assert figures.curves(Run({}, 1.0, losses, [[1.0, 20.0]])).axes[0].get_yscale() == scale


def test_a_notebook_gets_a_png_of_at_most_100_dpi_and_its_words(panels, truth):
    figure = figures.images(panels, truth, zoom=(0, 0, 8, 8))
    data, metadata = figure._repr_mimebundle_()
    assert imread(io.BytesIO(data["image/png"]), format="png").shape[1] <= 100 * picture.WIDTH + 20
    assert data["text/plain"] == metadata["image/png"]["alt"] == figure.alt
    assert all(name in figure.alt for name in panels) and "NRMSE" in figure.alt
    assert figure.saying("Three heads.").alt.startswith("Three heads. truth; bright: NRMSE")


def test_the_file_keeps_the_colours_that_were_drawn(truth):
    """Few colours make small files; a colour bar must not pay for it."""
    noisy, exact = truth + torch.randn_like(truth), io.BytesIO()
    first, second = (figures.images({"noise": noisy}, truth, error_limit=0.5) for _ in range(2))
    first.savefig(exact, dpi=100, bbox_inches="tight", pad_inches=0.04)
    exact.seek(0)
    shown, drawn_ = (imread(file, format="png")[..., :3] for file in (io.BytesIO(second.png()), exact))
    assert shown.shape == drawn_.shape and abs(shown - drawn_).max() < 0.025


def test_letters_can_be_read_at_full_size(panels, truth):
    figure = figures.images(panels | {f"{i}": truth for i in range(3)}, truth)
    sizes = [text.get_fontsize() for text in figure.findobj(matplotlib.text.Text) if text.get_text()]
    assert sizes and min(sizes) >= 9


def test_nothing_global_changes(panels, truth):
    before = dict(matplotlib.rcParams)
    figures.images(panels, truth)
    figures.lines({"a": [1.0, 2.0]}, "x", "y")
    assert dict(matplotlib.rcParams) == before
    code = "import sys, course_lib.teach.figures; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_paths_are_drawn_where_the_solver_went():
    walked = [torch.tensor([0.0, 1.0]), torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0])]
    picture = inverse.paths(lambda p: p.square().sum(1), {"GD": walked}, ((-1, 2), (-1, 2)))
    line = picture.axes[0].lines[0]
    assert [tuple(map(float, xy)) for xy in line.get_xydata()] == [tuple(p.tolist()) for p in walked]
    assert "GD in 2 steps" in picture.alt


def test_chosen_points_lie_on_their_curve():
    picture = inverse.chosen([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], {"oracle": 2, "mine": 2}, "a", "b")
    curve, oracle, mine = picture.axes[0].lines
    assert list(curve.get_ydata()) == [4, 5, 6] and oracle.get_xydata().tolist() == [[3, 6]]
    assert oracle.get_markersize() > mine.get_markersize()  # so that both are seen
    assert "oracle at 3, 6" in picture.alt
