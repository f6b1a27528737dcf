"""The two notebooks of a chapter are made from one source, and say so when they are not."""

import ast
import importlib
import inspect
import re
from contextlib import nullcontext
from io import BytesIO

import nbformat
import pytest

from solutions import build

SOURCE = '''# %% [markdown]
# # Title

# %%
def double(x):
    """Twice."""
    #: solution
    secret = 2 * x
    return secret
    #: end


check.ch99_double(double)

# %% [markdown] tags=["solution"]
# The secret is two.

# %% tags=["solution"]
print("secret")
'''


def text(notebook):
    return "\n".join(cell.source for cell in notebook.cells)


def test_a_student_gets_the_stub_and_no_solution():
    product = build.student(SOURCE, "99_title")
    assert "secret" not in text(product) and "#:" not in text(product)
    stub = next(cell.source for cell in product.cells if "def double" in cell.source)
    lines = ["def double(x):", '    """Twice."""', f"    {build.STUB}", "", "", "check.ch99_double(double)"]
    assert stub.splitlines() == lines
    with pytest.raises(NotImplementedError):
        exec(build.STUB)


def test_the_solved_notebook_has_everything_but_the_markers():
    product = build.solved(SOURCE, "99_title")
    assert text(product).count("secret") == 4 and "#:" not in text(product)


def test_two_regions_in_one_cell_are_two_stubs():
    cell = (
        "# %%\ndef f():\n    #: solution\n    a = 1\n    #: end\n\ndef g():\n    #: solution\n    b = 1\n    #: end\n"
    )
    product = text(build.student(cell, "99_title"))
    assert product.count("raise NotImplementedError") == 2 and "a = 1" not in product and "def g" in product


def test_cells_have_the_same_names_each_time_and_the_set_up_is_the_same_to_all():
    first, second = (build.student(SOURCE, "99_title") for _ in range(2))
    assert nbformat.writes(first) == nbformat.writes(second)
    nbformat.validate(first)
    ast.parse("\n".join(line for line in first.cells[2].source.splitlines() if line.strip()[:1] not in "!%"))


def test_an_assignment_has_a_cell_to_fill_in_and_a_test_with_a_point_a_star():
    card = "# %% [markdown]\n# > **Exercise 1** · core · 5 minutes · importance ★★☆\n\n"
    product = build.graded(card + SOURCE, "99_title")
    cells = {c.metadata.nbgrader.grade_id: c for c in product.cells if "nbgrader" in c.metadata}
    assert set(cells) == {"ch99_double", "ch99_double_test"}
    assert "### BEGIN SOLUTION" in cells["ch99_double"].source and cells["ch99_double"].metadata.nbgrader.solution
    test = cells["ch99_double_test"]
    assert test.metadata.nbgrader.points == 2 and "check.ch99_double(double)" in test.source
    assert text(product).count("secret") == 2  # those that nbgrader cuts out; the analysis is left out


def test_the_source_of_a_question_is_folded_away():
    source = "# %%\nx = 1\n\n# %%\nquiz.number('How many?', x, 'One.')\n"
    hidden = [
        cell.metadata.get("jupyter", {}).get("source_hidden", False) for cell in build.student(source, "99").cells
    ]
    assert hidden[-2:] == [False, True]


def test_an_executed_notebook_keeps_what_it_shows(tmp_path):
    product = build.solved("# %% [markdown]\n# # One\n\n# %%\nprint(6 * 7)\n", "99_title")
    product.cells = [cell for cell in product.cells if "google.colab" not in cell.source]
    assert build.execute(product, tmp_path) > 0
    assert "42" in product.cells[-1].outputs[0]["text"]


def test_pictures_are_stored_smaller_and_keep_their_words(tmp_path):
    draw = "import torch\nfrom course_lib.teach import figures\nx = torch.rand(1, 200, 200)\n"
    draw += "figures.images({'noise': x}, 0 * x + 1)"
    product = build.solved(f"# %%\n{draw}\n", "99_title")
    build.execute(product, tmp_path)
    live = nbformat.writes(product)
    build.lighten(product)
    assert nbformat.writes(product) == live  # there was room
    sizes = []
    for limit in (len(live) - 1, 1):
        light = nbformat.reads(live, as_version=4)
        with nullcontext() if limit > 1 else pytest.raises(SystemExit, match="fewer or smaller figures"):
            build.lighten(light, limit)
        nbformat.validate(light)
        sizes.append(len(nbformat.writes(light)))
    (output,) = light.cells[-1].outputs
    assert sizes[1] < sizes[0] < len(live)  # no fewer colours than needed, then the fewest
    assert "noise" in output.metadata["image/png"]["alt"]


def test_a_change_of_words_keeps_outputs_and_a_change_of_code_does_not():
    source = "# %% [markdown]\n# Words.\n\n# %%\nprint(1)\n"
    executed = build.solved(source, "99_title")
    executed.cells[-1].outputs = [nbformat.v4.new_output("stream", text="1\n")]
    for other, kept in (
        (source.replace("Words", "Better words"), True),
        (source.replace("print(1)", "print(2)"), False),
    ):
        notebook = build.solved(other, "99_title")
        assert build.keep_outputs(executed, notebook) == kept
        assert bool(notebook.cells[-1].outputs) == kept
        assert build.words(notebook.cells) == build.words(build.solved(other, "99_title").cells)


def test_few_colours_keep_the_commonest_as_they_are():
    """The zero of an error map must not turn pink."""
    from PIL import Image

    picture, stored = Image.effect_noise((64, 64), 90).convert("RGB"), BytesIO()
    picture.paste((247, 246, 245), (0, 0, 64, 20))
    picture.save(stored, "png")
    few = Image.open(BytesIO(build.few_colours(stored.getvalue()))).convert("RGB")
    assert len(few.getcolors()) <= 64
    assert few.crop((0, 0, 64, 20)).getcolors() == [(64 * 20, (247, 246, 245))]


def test_few_colours_keep_greys_grey():
    """An orange box drawn over an image must not tint it."""
    from PIL import Image, ImageDraw

    picture, stored = Image.linear_gradient("L").convert("RGB"), BytesIO()
    for i in range(40):
        ImageDraw.Draw(picture).line([(0, 6 * i), (255, 6 * i + 3)], (230, 159, 0))
        ImageDraw.Draw(picture).line([(0, 6 * i + 1), (255, 6 * i + 4)], (3 * i + 70, 3 * i + 50, 2 * i))
    picture.paste(Image.linear_gradient("L").convert("RGB"), (0, 128))
    picture.save(stored, "png")
    few = (
        Image.open(BytesIO(build.few_colours(stored.getvalue(), common=1, others=32)))
        .convert("RGB")
        .crop((0, 128, 256, 256))
    )
    assert all(red == green == blue for _, (red, green, blue) in few.getcolors())


@pytest.mark.parametrize("fault", ["1 / 0", "from nowhere import nothing"])
def test_an_error_ends_the_execution(tmp_path, fault):
    with pytest.raises(Exception, match="ZeroDivisionError|ModuleNotFoundError"):
        build.execute(build.solved(f"# %%\n{fault}\n", "99_title"), tmp_path)


def test_the_budget_is_read_from_the_text_and_asked_for():
    assert build.budget("# **Computing**: under 25 s\n# (`ci`), under 150 s (`cpu`)", "cpu") == 150
    with pytest.raises(SystemExit, match="states no seconds"):
        build.budget("# soon", "cpu")


def test_a_stale_product_is_noticed(tmp_path):
    source = tmp_path / "99_title.py"
    source.write_text(SOURCE, "utf-8")
    assert not build.executed_is_fresh(source)
    build.write(build.solved(SOURCE, "99_title"), source.with_suffix(".ipynb"))
    assert build.executed_is_fresh(source)
    source.write_text(SOURCE.replace("Twice", "Two times"), "utf-8")
    assert not build.executed_is_fresh(source)


@pytest.mark.parametrize("chapter", build.CHAPTERS, ids=lambda path: path.stem)
def test_the_products_of_the_course_are_fresh_small_and_leak_nothing(chapter):
    source = chapter.read_text("utf-8")
    path = build.ROOT / "notebooks" / f"{chapter.stem}.ipynb"
    assert path.exists(), f"{path} is missing; remedy: make notebooks"
    stored = nbformat.read(path, as_version=4)
    again = build.student(source, chapter.stem)
    assert build.words(stored.cells) == build.words(again.cells), "stale; remedy: make notebooks"
    assert not any(cell.get("outputs") for cell in stored.cells)
    assert build.executed_is_fresh(chapter), f"stale; remedy: make run CH={chapter.stem[:2]}"
    assert chapter.with_suffix(".ipynb").stat().st_size < 1e6
    for region in re.findall(r"#: solution\n(.*?)#: end", source, re.DOTALL):
        body = region.strip()
        assert body not in text(stored), f"a solution leaks: {body[:60]}"


@pytest.mark.parametrize("chapter", build.CHAPTERS, ids=lambda path: path.stem)
def test_stub_and_solution_have_one_signature(chapter):
    source = chapter.read_text("utf-8")
    stubs, solutions = (_signatures(make(source, chapter.stem)) for make in (build.student, build.solved))
    assert stubs.items() <= solutions.items()


@pytest.mark.parametrize("chapter", build.CHAPTERS, ids=lambda path: path.stem)
def test_code_of_the_library_in_a_cell_equals_the_library_s(chapter):
    for name, cell in re.findall(
        r'^# %% tags=\["same:(\S+?)"\]\n(.*?)(?=^# %%)', chapter.read_text("utf-8"), re.M | re.S
    ):
        module, _, attribute = name.rpartition(".")
        theirs = inspect.getsource(getattr(importlib.import_module(module), attribute))
        assert _skeleton(cell) == _skeleton(theirs), f"the cell differs from {name}"


@pytest.mark.parametrize(
    "changed", ["def f(x):\n    return x + 2\n", "def f(x):\n    return x - 1\n", "def f(y, x):\n    return x + 1\n"]
)
def test_the_comparison_of_syntax_trees_sees_a_change(changed):
    original = '@decorated\ndef g(x: int) -> int:\n    """One more."""\n    return x + 1  # more\n'
    assert _skeleton("def f(x):\n    return x + 1\n") == _skeleton(original)
    assert _skeleton(changed) != _skeleton(original)


def _signatures(notebook) -> dict[str, str]:
    found = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and "google.colab" not in cell.source:
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.FunctionDef):
                    found[node.name] = ast.unparse(node.args)
    return found


def _skeleton(code: str) -> str:
    """The first definition as a syntax tree: without its name, decorators, docstrings and annotations."""
    definition = next(node for node in ast.parse(code).body if isinstance(node, (ast.FunctionDef, ast.ClassDef)))
    for node in ast.walk(definition):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            node.decorator_list = []
            if ast.get_docstring(node):
                node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
    definition.name = "definition"
    return ast.dump(definition)
