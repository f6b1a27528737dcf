"""Loss figures: logarithmic, every curve and level there, with the words that say where each ends."""

import math

import pytest

from course_lib.teach import training


def test_every_curve_is_drawn_on_a_logarithmic_scale_and_said():
    picture = training.losses({"l1": [1.0, 0.1], "mse": [2.0, 0.5]}, levels={"zero-filled": 0.3})
    axis = picture.axes[0]
    assert axis.get_yscale() == "log"
    curves = {line.get_label(): list(line.get_ydata()) for line in axis.lines}
    assert curves["l1"] == [1.0, 0.1] and curves["mse"] == [2.0, 0.5] and set(curves["zero-filled"]) == {0.3}
    assert [list(line.get_xdata()) for line in axis.lines[:2]] == [[1, 2]] * 2
    for words in ("l1 from 1 to 0.1", "mse from 2 to 0.5", "zero-filled 0.3"):
        assert words in picture.alt


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_run_that_diverged_is_shown_as_far_as_it_went(bad):
    line = training.losses({"too fast": [1.0, bad, 3.0]}).axes[0].lines[0]
    assert list(line.get_xdata()) == [1, 3] and list(line.get_ydata()) == [1.0, 3.0]
