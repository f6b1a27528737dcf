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


RULES = [
    the_first_cell_asks_with_an_image,
    code_cells_are_short,
    headings_descend_one_by_one,
    images_exist_and_say_what_they_show,
    it_says_what_a_learner_must_know,
]
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
    found = [what for rule in RULES for what in rule(built)]
    assert not found, "\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_the_chapter_runs(chapter, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_PROFILE", "ci")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    subprocess.run([sys.executable, "-m", "course_lib", "prepare"], cwd=ROOT, check=True, capture_output=True)
    start = time.monotonic()
    run = subprocess.run([sys.executable, str(chapter)], cwd=tmp_path, capture_output=True, text=True)
    seconds = time.monotonic() - start
    assert run.returncode == 0, run.stderr[-3000:]
    if seconds > SECONDS:
        warnings.warn(f"{chapter.stem} took {seconds:.0f} s in profile ci, more than {SECONDS}", stacklevel=2)
