"""Quizzes and sliders: what they say, what they draw, and what is left where nothing runs."""

import time

import pytest

from course_lib.errors import CourseError
from course_lib.teach import quiz, slider
from course_lib.teach.picture import chart

ASKED = quiz.choice("Which?", right={"b": "because of b"}, wrong={"a": "a is <small>", "c": "c is large"})
COUNTED = quiz.number("How many?", 12, "three times four", near={7.0: "three plus four"})


def parts(question):
    """The widgets of a live question: entry, button and what is said."""
    import ipywidgets

    bundle = question._repr_mimebundle_()
    model = bundle[quiz.VIEW]["model_id"]
    widgets = getattr(ipywidgets.widgets.widget, "_instances", None) or ipywidgets.Widget.widgets
    return widgets[model].children[1:]


def test_every_option_is_explained_and_the_order_is_always_the_same():
    assert sorted(ASKED.options) == ["a", "b", "c"] and list(ASKED.options) == list(ASKED.options)
    assert ASKED.answer("b").right and "because of b" in str(ASKED.answer("b"))
    assert not ASKED.answer("a").right and "a is <small>" in str(ASKED.answer("a"))


def test_without_a_kernel_each_option_unfolds_and_is_escaped():
    page = ASKED._repr_mimebundle_()["text/html"]
    assert page.count("<details>") == 3 and "a is &lt;small&gt;" in page
    assert "12: three times four" in COUNTED._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize(
    "typed, right, words",
    [
        ("12.1", True, "three times four"),
        ("7", False, "three plus four"),
        ("1e3", False, "compute it"),
        ("twelve", False, "'twelve'"),
    ],
)
def test_a_number_is_judged_with_its_reason(typed, right, words):
    verdict = COUNTED.answer(typed)
    assert verdict.right == right and words in str(verdict)


def test_a_click_says_the_verdict():
    entry, button, said = parts(ASKED)
    button.click()
    assert "first" in said.value
    entry.value = "a"
    button.click()
    assert "✗" in said.value and "&lt;small&gt;" in said.value
    entry.value = "b"
    button.click()
    assert "✓" in said.value


def test_a_number_is_typed_and_checked():
    entry, button, said = parts(COUNTED)
    entry.value = "12"
    button.click()
    assert "✓" in said.value


def drawn(setting):
    picture, axis = chart(3)
    axis.plot([0, setting])
    picture.alt = f"up to {setting}"
    calls.append(setting)
    return picture


calls: list[int] = []


def test_a_slider_draws_each_setting_once_and_says_what_is_to_be_seen():
    calls.clear()
    widget = slider("height", drawn, (1, 2, 3))
    first = bytes(widget.image.value)
    assert calls == [2] and widget.words.value == "up to 2" and first.startswith(b"\x89PNG")
    widget.slider.value = 3
    assert widget.words.value == "up to 3" and bytes(widget.image.value) != first
    widget.slider.value = 2
    assert calls == [2, 3] and bytes(widget.image.value) == first
    assert not widget.slider.continuous_update


def test_a_strict_slider_is_tried_out_and_shows_its_start_again(monkeypatch):
    monkeypatch.setenv("COURSE_STRICT", "1")
    calls.clear()
    widget = slider("height", drawn, (1, 2, 3, 4), start=2)
    assert sorted(calls) == [1, 2, 3, 4] and widget.words.value == "up to 2"


def same_picture(setting):
    picture = drawn(0)
    picture.alt = f"up to {setting}"
    return picture


def same_words(setting):
    picture = drawn(setting)
    picture.alt = "a line"
    return picture


def slow(setting):
    began = time.process_time()
    while setting > 2 and time.process_time() - began < 1.6:
        pass
    return drawn(setting)


@pytest.mark.parametrize(
    "draw, words", [(same_picture, "another picture"), (same_words, "another text"), (slow, "s at 3")]
)
def test_a_strict_slider_must_change_and_be_quick(monkeypatch, draw, words):
    slider("height", draw, (1, 2, 3))
    monkeypatch.setenv("COURSE_STRICT", "1")
    with pytest.raises(CourseError, match=words):
        slider("height", draw, (1, 2, 3))
