"""From one source to two notebooks: `python solutions/build.py` writes them, `... run [CHAPTER ...]` executes them.
`... graded FOLDER [CHAPTER ...]` writes them as assignments for nbgrader.

solutions/NN_name.py is the source and holds the solution. The student's notebooks/NN_name.ipynb is derived from it:

    #: solution            from here ...
    #: end                 ... to here becomes a line that raises NotImplementedError
    tags=["solution"]      the whole cell is left out (an analysis in words, say)
    tags=["same:MODULE.NAME"]   the cell's first definition equals the library's NAME (the tests compare them)

solutions/NN_name.ipynb is the source, executed. The badge and the set-up cell are added here, the same to all.
"""

import argparse
import json
import os
import re
import time
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path

import jupytext
import nbformat
import numpy as np
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parent.parent
CHAPTERS = sorted((ROOT / "solutions").glob("[0-9]*.py"))
REPOSITORY = ""  # address of the public repository, such as https://github.com/OWNER/NAME; empty while there is none
SOLUTION = re.compile(r"^([ \t]*)#: solution\n.*?^[ \t]*#: end\n?", re.MULTILINE | re.DOTALL)
MARKER = re.compile(r"^[ \t]*#: (solution|end)\n?", re.MULTILINE)
STUB = 'raise NotImplementedError("your code here")'
QUESTION = {"jupyter": {"source_hidden": True}, "cellView": "form"}  # a question's source would tell its answer
COLOURS = (176, 112, 80, 48, 32, 20)  # of stored pictures beside their commonest; a live one has 256 in all
NEARLY_GREY = 8  # most by which the parts of a colour may differ
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def student(source: str, name: str) -> NotebookNode:
    """The notebook without its solutions."""
    cells = [cell for cell in _read(source) if "solution" not in cell.metadata.get("tags", [])]
    for cell in cells:
        if cell.cell_type == "code":
            cell.source = SOLUTION.sub(rf"\g<1>{STUB}\n", cell.source + "\n").rstrip("\n")
    return _notebook(cells, name)


def solved(source: str, name: str) -> NotebookNode:
    """The notebook with its solutions, not yet executed."""
    cells = _read(source)
    for cell in cells:
        cell.source = MARKER.sub("", cell.source + "\n").rstrip("\n")
    return _notebook(cells, name)


def graded(source: str, name: str) -> NotebookNode:
    """An assignment for nbgrader: each exercise is a cell to be filled in, its check a test with a point a star."""
    cells, stars = [], 1
    for cell in _read(source):
        stars = cell.source.count("★") or stars if "**Exercise " in cell.source else stars
        asked = (
            re.search(r"^check\.(\w+)\((\w+)\)$", cell.source, re.MULTILINE) if "#: solution" in cell.source else None
        )
        for mark, theirs in (("#: solution", "### BEGIN SOLUTION"), ("#: end", "### END SOLUTION")):
            cell.source = cell.source.replace(mark, theirs)
        cells.append(cell)
        if asked:
            exercise, solution = asked.groups()
            test = nbformat.v4.new_code_cell(f"verdict = check.{exercise}({solution})\nassert verdict.right, verdict")
            cell.metadata["nbgrader"] = _grading(exercise, solution=True)
            test.metadata["nbgrader"] = _grading(f"{exercise}_test", solution=False) | {"points": stars}
            cells.append(test)
    return _notebook([cell for cell in cells if "solution" not in cell.metadata.get("tags", [])], name)


def execute(notebook: NotebookNode, folder: Path, progress: bool = True) -> float:
    """Run all cells, keep what they show, and return the seconds."""
    client = NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": str(folder)}})
    began = time.monotonic()
    client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata = nbformat.from_dict({**METADATA})
    return time.monotonic() - began


def lighten(notebook: NotebookNode, limit: int = 1_000_000) -> None:
    """Store pictures with as many colours as an executed notebook of less than `limit` bytes can hold."""
    shown = (output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", []))
    live = [(data, b64decode(data["image/png"])) for data in shown if "image/png" in data]
    for colours in COLOURS:
        if len(nbformat.writes(notebook).encode()) < limit:
            return
        for data, picture in live:
            small = few_colours(picture, others=colours)
            data["image/png"] = b64encode(min(picture, small, key=len)).decode()
    if (size := len(nbformat.writes(notebook).encode())) >= limit:
        raise SystemExit(f"the executed notebook has {size} bytes, {limit} or more: fewer or smaller figures")


def few_colours(picture: bytes, common: int = 16, others: int = 48) -> bytes:
    """The PNG with so many of its `common` colours as they are (white, the zero of an error map) and `others` near the rest.

    Half of the others are greys, so that no grey takes on the colour of a line drawn over it.
    """
    from PIL import Image  # comes with matplotlib

    image, small = np.asarray(Image.open(BytesIO(picture)).convert("RGB")), BytesIO()
    found, where, times = np.unique(image.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True)
    palette = [*found[times.argsort()[-common:]], *np.linspace(0, 255, others // 2).round().repeat(3).reshape(-1, 3)]
    if len(coloured := found[np.ptp(found, axis=-1) > NEARLY_GREY]):
        few = Image.fromarray(coloured[None]).quantize(others // 2, Image.Quantize.MAXCOVERAGE)
        palette += [*np.reshape(few.getpalette(), (-1, 3))[: others // 2]]
    nearest = ((found[:, None] - np.array(palette)) ** 2).sum(-1).argmin(-1)
    stored = Image.fromarray(nearest[where].astype(np.uint8).reshape(image.shape[:2]), "P")
    stored.putpalette(np.array(palette, np.uint8).tobytes())
    stored.save(small, "png", optimize=True)
    return small.getvalue()


def budget(source: str, profile: str) -> float:
    """Seconds of computing that a chapter states for a profile: `25 s (ci)`, `150 s (cpu)`."""
    stated = re.search(rf"(\d+)\s+s\s+\(`?{profile}`?\)", re.sub(r"\n# ?", " ", source))
    if stated is None:
        raise SystemExit(f"the chapter states no seconds for profile {profile}; expected words like 25 s (`{profile}`)")
    return float(stated.group(1))


def write(notebook: NotebookNode, path: Path) -> None:
    """Write to a temporary name, then rename."""
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(nbformat.writes(notebook) + "\n", "utf-8")
    os.replace(part, path)


def generate() -> None:
    """Write every student's notebook, and each executed one whose cells are no longer those of the source.

    Where words alone have changed, what the code gave stays.
    """
    for path in CHAPTERS:
        source = path.read_text("utf-8")
        write(student(source, path.stem), ROOT / "notebooks" / f"{path.stem}.ipynb")
        if not executed_is_fresh(path):
            product, notebook = path.with_suffix(".ipynb"), solved(source, path.stem)
            if not (product.exists() and keep_outputs(nbformat.read(product, as_version=4), notebook)):
                print(f"{path.stem}: its code has changed; `make run CH={path.stem[:2]}` executes it again")
            write(notebook, product)


def keep_outputs(executed: NotebookNode, notebook: NotebookNode) -> bool:
    """Give `notebook` the outputs of an executed one of the same code; False, and nothing done, if the code differs."""
    before, now = ([cell for cell in n.cells if cell.cell_type == "code"] for n in (executed, notebook))
    if [cell.source for cell in before] != [cell.source for cell in now]:
        return False
    for old, new in zip(before, now):
        new.outputs, new.execution_count = old.outputs, old.execution_count
    return True


def executed_is_fresh(path: Path) -> bool:
    """Whether the executed notebook has the cells of its source."""
    product = path.with_suffix(".ipynb")
    if not product.exists():
        return False
    cells = nbformat.read(product, as_version=4).cells
    return words(cells) == words(solved(path.read_text("utf-8"), path.stem).cells)


def words(cells: list[NotebookNode]) -> list[tuple]:
    """What is compared of cells: kind, id and text; outputs are left out."""
    return [(cell.cell_type, cell.id, cell.source) for cell in cells]


def run(chosen: list[str]) -> None:
    """Execute chapters from their sources, keep the results and their seconds; status 1 where one takes too long."""
    profile = os.environ.setdefault("COURSE_PROFILE", "cpu")
    os.environ["COURSE_STRICT"] = "1"
    timings = ROOT / "solutions" / "timings.json"
    table = json.loads(timings.read_text("utf-8")) if timings.exists() else {}
    late = []
    for path in CHAPTERS:
        if chosen and path.stem[:2] not in chosen:
            continue
        source = path.read_text("utf-8")
        notebook, limit = solved(source, path.stem), budget(source, profile)
        print(f"{path.stem} ...", end=" ", flush=True)
        seconds = execute(notebook, path.parent)
        print(f"{seconds:.0f} s of {limit:.0f}", flush=True)
        table.setdefault(profile, {})[path.stem] = round(seconds)
        if profile == "cpu":
            lighten(notebook)
            write(notebook, path.with_suffix(".ipynb"))
        timings.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n", "utf-8")
        late += [f"{path.stem}: {seconds:.0f} s, stated {limit:.0f}"] if seconds > 1.3 * limit else []
    if late:
        raise SystemExit("more than 30 % over the stated time:\n" + "\n".join(late))


def _read(source: str) -> list[NotebookNode]:
    return jupytext.reads(source, fmt="py:percent").cells


def _notebook(cells: list[NotebookNode], name: str) -> NotebookNode:
    first_code = next(i for i, cell in enumerate(cells) if cell.cell_type == "code")
    cells = [_badge(name), *cells[:first_code], _set_up(name), *cells[first_code:]]
    for i, cell in enumerate(cells):
        cell.id = f"cell-{i:03}"
        tags = [tag for tag in cell.metadata.get("tags", []) if not tag.startswith("same:")]
        grading = {key: cell.metadata[key] for key in ("nbgrader",) if key in cell.metadata}
        folded = QUESTION if re.search(r"^quiz\.", cell.source, re.MULTILINE) else {}
        cell.metadata = nbformat.from_dict(({"tags": tags} if tags else {}) | folded | grading)
    return nbformat.from_dict({"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5})


def _grading(name: str, solution: bool) -> dict:
    kinds = {"solution": solution, "grade": not solution, "locked": not solution, "task": False}
    return {"grade_id": name, "schema_version": 3, **kinds}


def _badge(name: str) -> NotebookNode:
    colab = REPOSITORY.replace("https://", "https://colab.research.google.com/") + "/blob/main/notebooks/"
    text = (
        f"[Open in Colab]({colab}{name}.ipynb)"
        if REPOSITORY
        else "*To run this in Colab: upload this notebook and, in its file panel, the course as `course.zip` "
        "(`git archive -o course.zip HEAD`). Everywhere else: `make lab`.*"
    )
    return nbformat.v4.new_markdown_cell(text)


def _set_up(name: str) -> NotebookNode:
    fetch = f"!git clone -q --depth 1 {REPOSITORY} course" if REPOSITORY else "!unzip -q -o course.zip -d course"
    text = f'''# The same in every chapter: finds the course, and says what runs here.
import importlib.util, sys

if importlib.util.find_spec("course_lib") is None and "google.colab" in sys.modules:
    {fetch}
    %pip install -q --no-deps sigpy jaxtyping wadler-lindig h5py safetensors
    sys.path.insert(0, "course")
from course_lib.teach import start

start("{name}")'''
    return nbformat.v4.new_code_cell(text)


def assign(folder: Path, chosen: list[str]) -> None:
    """Write nbgrader's source folder: FOLDER/source/NN_name/NN_name.ipynb."""
    for path in CHAPTERS:
        if not chosen or path.stem[:2] in chosen:
            product = folder / "source" / path.stem / f"{path.stem}.ipynb"
            product.parent.mkdir(parents=True, exist_ok=True)
            write(graded(path.read_text("utf-8"), path.stem), product)
            print(product)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command")
    running = commands.add_parser("run", help="execute chapters and keep the results")
    assigning = commands.add_parser("graded", help="write assignments for nbgrader")
    assigning.add_argument("folder", type=Path)
    for command in (running, assigning):
        command.add_argument("chapter", nargs="*", help="two digits, such as 05; all of them unless named")
    options = parser.parse_args()
    if options.command == "run":
        run(options.chapter)
    elif options.command == "graded":
        assign(options.folder, options.chapter)
    else:
        generate()


if __name__ == "__main__":
    main()
