"""Every chapter runs from its first cell to its last, in its time, and is built as a chapter should be."""

import re
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
CHAPTERS = sorted((ROOT / "solutions").glob("[0-9]*.py"))
SECONDS = 25  # of computing on two idle cores, profile ci
IMAGE = re.compile(r"!\[(.*?)\]\((.*?)\)", re.DOTALL)


class Cell(NamedTuple):
    markdown: bool
    text: str


def cells(source: str) -> list[Cell]:
    """The cells of a py:percent file; the header before the first is left out."""
    first, *rest = re.split(r"^# %%(.*)\n", source, flags=re.MULTILINE)
    return [
        Cell("[markdown]" in kind, re.sub(r"^# ?", "", text, flags=re.MULTILINE) if "[markdown]" in kind else text)
        for kind, text in zip(rest[::2], rest[1::2])
    ]


def the_first_cell_asks_with_an_image(chapter: list[Cell]):
    first = chapter[0]
    if not first.markdown or not first.text.lstrip().startswith("# "):
        yield "the first cell is not markdown with a title"
    if len(IMAGE.findall(first.text)) != 1:
        yield f"the first cell has {len(IMAGE.findall(first.text))} images, not one"
    if "?" not in IMAGE.sub("", first.text):
        yield "the first cell asks no question"


def code_cells_are_short(chapter: list[Cell]):
    for i, cell in enumerate(chapter):
        lines = len(cell.text.strip().splitlines())
        if not cell.markdown and lines > 40:
            yield f"cell {i} has {lines} lines of code, more than 40"


def headings_descend_one_by_one(chapter: list[Cell]):
    depth, titles = 0, 0
    for cell in chapter:
        for marks, title in re.findall(r"^(#+) (.*)$", cell.text, re.MULTILINE) if cell.markdown else ():
            titles += len(marks) == 1
            if len(marks) > depth + 1:
                yield f"the heading {title!r} jumps from level {depth} to {len(marks)}"
            depth = len(marks)
    if titles != 1:
        yield f"{titles} titles, not one"


def images_exist_and_say_what_they_show(chapter: list[Cell]):
    for cell in chapter:
        for words, target in IMAGE.findall(cell.text) if cell.markdown else ():
            if len(words.split()) < 3:
                yield f"the image {target} has no alternative text"
            if "://" in target or not (ROOT / "solutions" / target).is_file():
                yield f"the image {target} is no file of the course"


def it_says_what_a_learner_must_know(chapter: list[Cell]):
    text = "\n".join(cell.text for cell in chapter if cell.markdown).lower()
    parts = {
        "goals": r"you can\b",
        "prerequisites": r"you need|prerequisite",
        "minutes": r"\bminutes\b",
        "computing": r"\bcomput(e|ing)\b",
        "licence": r"licen[cs]e",
        "provenance": r"provenance",
        "references with DOI": r"doi\.org/10\.|\b10\.\d{4,}/",
    }
    yield from (f"{what}: nowhere" for what, pattern in parts.items() if not re.search(pattern, text))
    predictions = len(re.findall(r"\*\*predict|^#+ predict", text, re.MULTILINE))
    if predictions < 2:
        yield f"{predictions} questions to predict, fewer than two"


def every_exercise_has_a_card_and_hints(chapter: list[Cell]):
    cards = [cell.text for cell in chapter if cell.markdown and "**Exercise " in cell.text]
    for text in cards:
        title = re.search(r"\*\*Exercise.*", text).group()
        if not re.search(
            r"^> \*\*Exercise \d\*\* · (core|stretch|project) · \d+ minutes · importance [★☆]{3}$", text, re.M
        ):
            yield f"{title!r} is no card: > **Exercise 1** · core · 10 minutes · importance ★★★"
        if not 1 <= text.count("<summary>Hint") <= 3:
            yield f"{title!r} has {text.count('<summary>Hint')} hints, not one to three"


def three_exercises_are_checked_and_the_checked_function_is_used(chapter: list[Cell]):
    code = "\n".join(cell.text for cell in chapter if not cell.markdown)
    checked = set(re.findall(r"^check\.(ch\d\d_\w+)\(", code, re.M))
    used = set(re.findall(r"^\w+ = use\(\w+, check\.(ch\d\d_\w+)\)", code, re.M))
    if len(checked) < 3:
        yield f"{len(checked)} exercises are checked, fewer than three"
    if checked != used:
        yield f"checked but not used, or used but not checked: {sorted(checked ^ used)}"


def the_quiz_has_four_to_six_questions_and_one_needs_code(chapter: list[Cell]):
    code = "\n".join(cell.text for cell in chapter if not cell.markdown)
    questions = {kind: len(re.findall(rf"^quiz\.{kind}\(", code, re.M)) for kind in ("choice", "number")}
    if not 4 <= sum(questions.values()) <= 6 or not questions["number"]:
        yield f"the quiz has {questions['choice']} choices and {questions['number']} numbers"


def one_or_two_sliders_answer_a_question(chapter: list[Cell]):
    sliders = [i for i, cell in enumerate(chapter) if not cell.markdown and re.search(r"^slider\(", cell.text, re.M)]
    if not 1 <= len(sliders) <= 2:
        yield f"{len(sliders)} sliders, not one or two"


def the_time_of_computing_is_stated(chapter: list[Cell]):
    text = " ".join(cell.text for cell in chapter if cell.markdown)
    for profile in ("ci", "cpu"):
        if not re.search(rf"\d+\s+s\s+\(`{profile}`\)", text):
            yield f"no seconds for profile {profile}: write under 25 s (`ci`), under 150 s (`cpu`)"


RULES = [
    the_first_cell_asks_with_an_image,
    code_cells_are_short,
    headings_descend_one_by_one,
    images_exist_and_say_what_they_show,
    it_says_what_a_learner_must_know,
    the_time_of_computing_is_stated,
]
LESSON = [
    every_exercise_has_a_card_and_hints,
    three_exercises_are_checked_and_the_checked_function_is_used,
    the_quiz_has_four_to_six_questions_and_one_needs_code,
    one_or_two_sliders_answer_a_question,
]  # of every chapter but 00, which only shows
BAD = [
    (the_first_cell_asks_with_an_image, "# %%\nx = 1\n"),
    (the_first_cell_asks_with_an_image, "# %% [markdown]\n# # Title\n# What? No image.\n"),
    (the_first_cell_asks_with_an_image, "# %% [markdown]\n# # Title\n# ![why?](a.png)\n"),
    (code_cells_are_short, "# %%\n" + "x = 1\n" * 41),
    (headings_descend_one_by_one, "# %% [markdown]\n# # One\n# ### Three\n"),
    (headings_descend_one_by_one, "# %% [markdown]\n# # One\n# %% [markdown]\n# # Two\n"),
    (images_exist_and_say_what_they_show, "# %% [markdown]\n# ![](../README.md)\n"),
    (images_exist_and_say_what_they_show, "# %% [markdown]\n# ![words that say\n# much](nowhere.png)\n"),
    (images_exist_and_say_what_they_show, "# %% [markdown]\n# ![words that say much](https://a.b/c.png)\n"),
    (it_says_what_a_learner_must_know, "# %% [markdown]\n# # Title\n"),
    (the_time_of_computing_is_stated, "# %% [markdown]\n# Computing: under 25 s (`ci`), some time on a CPU.\n"),
    (every_exercise_has_a_card_and_hints, "# %% [markdown]\n# **Exercise 1.** Write it. <summary>Hint 1</summary>\n"),
    (
        every_exercise_has_a_card_and_hints,
        "# %% [markdown]\n# > **Exercise 1** · core · 10 minutes · importance ★★☆\n# No hint.\n",
    ),
    (three_exercises_are_checked_and_the_checked_function_is_used, "# %%\ncheck.ch01_move(move)\n"),
    (
        three_exercises_are_checked_and_the_checked_function_is_used,
        "# %%\n" + "".join(f"check.ch01_{name}(f)\n" for name in "abc"),
    ),
    (the_quiz_has_four_to_six_questions_and_one_needs_code, "# %%\n" + "quiz.choice(\n)\n" * 5),
    (one_or_two_sliders_answer_a_question, "# %%\nx = 1\n"),
]


@pytest.mark.parametrize("rule, source", BAD, ids=lambda value: getattr(value, "__name__", ""))
def test_the_rule_finds_what_is_bad(rule, source):
    assert list(rule(cells(source)))


def test_cells_are_told_apart():
    found = cells("# ---\n# %% [markdown]\n# # Title\n#\n# text\n# %%\nx = 1  # %% no cell\n")
    assert found == [Cell(True, "# Title\n\ntext\n"), Cell(False, "x = 1  # %% no cell\n")]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_the_chapter_is_built_as_one(chapter):
    built = cells(chapter.read_text("utf-8"))
    rules = RULES + LESSON if "\ncheck." in chapter.read_text("utf-8") else RULES
    found = [what for rule in rules for what in rule(built)]
    assert not found, "\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["solutions", "notebooks"])
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_the_notebook_runs(chapter, folder, monkeypatch):
    """Both products, in the ci profile; the course's own solutions must be right, a student's need not be written."""
    monkeypatch.setenv("COURSE_PROFILE", "ci")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    if folder == "solutions":
        monkeypatch.setenv("COURSE_STRICT", "1")
    subprocess.run([sys.executable, "-m", "course_lib", "prepare"], cwd=ROOT, check=True, capture_output=True)
    notebook = ROOT / folder / f"{chapter.stem}.ipynb"
    start = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", str(notebook)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    seconds = time.monotonic() - start
    assert run.returncode == 0, run.stdout[-5000:]
    if seconds > SECONDS:
        warnings.warn(f"{folder}/{chapter.stem} took {seconds:.0f} s in profile ci, over {SECONDS}", stacklevel=2)
