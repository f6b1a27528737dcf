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
KINDS = ("core", "stretch", "project")
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


def recalls(code: str) -> int:
    """Questions about a chapter before: quiz.choice("From chapter 03: ...")."""
    return len(re.findall(r'^quiz\.choice\(\s*"From chapter \d\d: ', code, re.M))


def the_quiz_has_four_to_six_questions_and_one_needs_code(chapter: list[Cell]):
    code = "\n".join(cell.text for cell in chapter if not cell.markdown)
    questions = {kind: len(re.findall(rf"^quiz\.{kind}\(", code, re.M)) for kind in ("choice", "number")}
    questions["choice"] -= recalls(code)  # one of them may come beside
    if not 4 <= sum(questions.values()) <= 6 or not questions["number"]:
        yield f"the quiz has {questions['choice']} choices and {questions['number']} numbers"


def at_most_one_question_recalls_another_chapter_and_it_comes_first(chapter: list[Cell]):
    asked = [i for i, cell in enumerate(chapter) if not cell.markdown and recalls(cell.text)]
    first = next((i for i, cell in enumerate(chapter) if cell.markdown and "**Exercise " in cell.text), len(chapter))
    if len(asked) > 1:
        yield f"{len(asked)} questions from other chapters, more than one"
    if any(i > first for i in asked):
        yield "a question from another chapter comes after the first exercise"


def goals(chapter: list[Cell]) -> list[str]:
    """The numbered sentences of the cell that says what you can do at the end."""
    text = next((c.text for c in chapter if c.markdown and re.search(r"^## .*you can", c.text, re.M | re.I)), "")
    return re.findall(r"^\d+\. .*(?:\n {2,}.*)*", text, re.M)


def every_goal_names_where_it_is_tried(chapter: list[Cell]):
    if not goals(chapter):
        yield "no numbered goals under a heading with `you can`"
    for goal in goals(chapter):
        if not re.search(r"exercises? \d|quiz \d|questions? \d|slider|project", goal):
            yield f"the goal {goal.splitlines()[0]!r} names no exercise, question (quiz 2) or slider"


def a_section_begins_its_cell(chapter: list[Cell]):
    """So that a notebook's outline, its links and its folding find it."""
    for cell in chapter:
        for before, title in re.findall(r"(?s)\A(.*?)^## (.*?)$", cell.text, re.M) if cell.markdown else ():
            if before.strip():
                yield f"the section {title!r} begins in the middle of a cell: write `# %% [markdown]` before it"
        if cell.markdown and len(re.findall(r"^## ", cell.text, re.M)) > 1:
            yield f"the cell of {cell.text.splitlines()[0]!r} holds more than one section"


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
    at_most_one_question_recalls_another_chapter_and_it_comes_first,
    every_goal_names_where_it_is_tried,
    a_section_begins_its_cell,
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
    (
        the_quiz_has_four_to_six_questions_and_one_needs_code,
        "# %%\nquiz.number(\n)\n" + 'quiz.choice(\n    "From chapter 01: what?"\n)\n' * 4,
    ),
    (
        at_most_one_question_recalls_another_chapter_and_it_comes_first,
        "# %%\n" + 'quiz.choice(\n    "From chapter 01: what?"\n)\n\n# %%\n' * 2,
    ),
    (
        at_most_one_question_recalls_another_chapter_and_it_comes_first,
        '# %% [markdown]\n# > **Exercise 1**\n# %%\nquiz.choice("From chapter 01: what?")\n',
    ),
    (every_goal_names_where_it_is_tried, "# %% [markdown]\n# ## What you can do\n#\n# Much.\n"),
    (
        every_goal_names_where_it_is_tried,
        "# %% [markdown]\n# ## What you can do\n#\n# 1. **Do** it (quiz 1).\n# 2. **Say** it\n#    (section 3).\n",
    ),
    (a_section_begins_its_cell, "# %% [markdown]\n# Words.\n#\n# ## Section\n"),
    (a_section_begins_its_cell, "# %% [markdown]\n# ## One\n#\n# ## Two\n"),
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


GUIDE = (ROOT / "docs" / "teaching.md").read_text("utf-8")


def stated(source: str) -> dict[str, object]:
    """What a chapter says of itself: chapters it builds on, minutes of reading, of exercises and of projects."""
    text = "\n".join(cell.text for cell in cells(source) if cell.markdown)
    needs = re.search(r"\*\*You need\*\*(.*?)\*\*Time\*\*", text, re.DOTALL)
    reading = re.search(r"\*\*Time\*\*:?\s+about\s+(\d+)\s+minutes", text)
    cards = re.findall(r"^> \*\*Exercise \d\*\* · (\w+) · (\d+) minutes", text, re.M)
    exercises, project = (sum(int(n) for kind, n in cards if (kind == "project") == wanted) for wanted in (False, True))
    return {
        "needs": set(re.findall(r"\b\d\d\b", needs.group(1))) if needs else None,
        "reading": int(reading.group(1)) if reading else None,
        "exercises": f"{exercises} min" * (exercises > 0) + f" + {project} min project" * (project > 0) or "-",
    }


def listed(guide: str, number: str) -> dict[str, object]:
    """The same from the guide's first table: | 03 title | question | needs | reading | computing | exercises |."""
    row = re.search(rf"^\| {number} (.*)\|$", guide, re.M)
    columns = [column.strip() for column in row.group(1).split("|")] if row else []
    _, _, needs, reading, _, exercises = (columns + [""] * 6)[:6]
    minutes = re.match(r"\d+", reading)
    return {
        "needs": set(re.findall(r"\b\d\d\b", needs)),
        "reading": int(minutes.group()) if minutes else None,
        "exercises": exercises,
    }


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_the_guide_for_teachers_says_what_the_chapter_says(chapter):
    assert listed(GUIDE, chapter.stem[:2]) == stated(chapter.read_text("utf-8"))


def test_the_guide_is_read_as_the_chapter_is():
    source = "# %% [markdown]\n# **You need** chapters 01 and\n# 03. **Time**: about 70\n# minutes of reading.\n"
    assert stated(source) == {"needs": {"01", "03"}, "reading": 70, "exercises": "-"}
    source += "".join(
        f"#\n# > **Exercise {i}** · {kind} · 20 minutes · importance ★☆☆\n" for i, kind in enumerate(KINDS)
    )
    assert stated(source)["exercises"] == "40 min + 20 min project"
    row = "| 04 title | Why? | 01; 03 helps | 70 min | 2.5 min | 40 min + 20 min project |\n"
    assert listed(row, "04") == stated(source) and listed(row, "05")["reading"] is None
    assert listed(row.replace(" 40 min + 20 min project |", ""), "04")["exercises"] == ""


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
