"""The rules of the library as code: which way imports run, how long things get, what nothing may be called.

A rule is a function from one module to what it finds wrong there. Each is first shown a bad text, so that it provably
can fail. Lines of a file are all its lines, docstrings and blanks included: a file is what a reader scrolls through.
Lines of a function are those where code begins or ends: its docstring, comments and blank lines are free.
"""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = {  # a new module or folder needs a floor here; "methods" alone is methods/__init__.py, the table of contents
    1: "errors shapes threads",
    2: "metrics sampling ops scores checkpoint profiles",
    3: "losses solve muon clinical",
    4: "blocks data",
    5: "methods.base batches",
    6: "train evaluate weights methods.classic methods.restore methods.kspace methods.direct methods.cross "
    "methods.unrolled methods.unsupervised",
    7: "methods check leaderboard reconstruct",
    8: "experiments",
    9: "__init__ show teach start",
    10: "__main__ commands doctor",
}
FLOOR = {name: floor for floor, names in FLOORS.items() for name in names.split()}
NAMED = {
    ("methods.base", "build"),
    ("__init__", "build"),
    ("shapes", "agree"),
}  # may take **: a card's settings, named arrays
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Module(NamedTuple):
    name: str  # ops.sense; a package's __init__.py bears the package's name
    folder: str  # where it lies: "ops", or "" for the top
    text: str
    tree: ast.Module

    def all(self, *kinds: type) -> Iterator:
        return (node for node in ast.walk(self.tree) if isinstance(node, kinds))

    @property
    def is_method(self) -> bool:
        return self.name.startswith("methods.") and self.name.count(".") == 2


def module(path: str, text: str) -> Module:
    """`path` is relative to course_lib."""
    parts = path.removesuffix(".py").split("/")
    package = len(parts) > 1 and parts[-1] == "__init__"
    return Module(".".join(parts[:-1] if package else parts), ".".join(parts[:-1]), text, ast.parse(text))


def home(name: str) -> str:
    """The longest part of a dotted name that has a floor, or nothing."""
    parts = name.split(".")
    if parts[0] == "methods" and len(parts) > 1:
        return ".".join(parts[:2]) if ".".join(parts[:2]) in FLOOR else ""
    return parts[0] if parts[0] in FLOOR else ""


def imported(m: Module) -> Iterator[str]:
    """Modules of course_lib that `m` imports, anywhere in it: "ops.sense", or "__init__" for the face."""
    for node in m.all(ast.Import):
        yield from (a.name.partition(".")[2] or "__init__" for a in node.names if a.name.split(".")[0] == "course_lib")
    for node in m.all(ast.ImportFrom):
        base = node.module or ""
        if node.level:
            above = m.folder.split(".")[: len(m.folder.split(".")) - node.level + 1] if m.folder else []
            base = ".".join(part for part in [*above, base] if part)
        elif base.split(".")[0] == "course_lib":
            base = base.partition(".")[2]
        else:
            continue
        for alias in node.names:
            inner = f"{base}.{alias.name}" if base else alias.name
            yield inner if inner in FLOOR or is_file(inner) else base or "__init__"


def is_file(name: str) -> bool:
    path = ROOT / "course_lib" / name.replace(".", "/")
    return path.with_suffix(".py").exists() or path.is_dir()


def imports_run_downward(m: Module) -> Iterator[str]:
    if not home(m.name):
        yield "has no floor: add it to FLOORS in tests/test_layers.py"
        return
    for name in imported(m):
        mine, theirs = FLOOR[home(m.name)], FLOOR.get(home(name), 0)
        neighbours = f"{m.folder}.".startswith(name.rpartition(".")[0] + ".")
        if not theirs:
            yield f"imports {name}, which has no floor"
        elif theirs > mine or theirs == mine and not neighbours:
            yield f"on floor {mine} imports {name} on floor {theirs}: only its folder, one around it or a lower floor"


def a_method_imports_no_method(m: Module) -> Iterator[str]:
    if m.is_method:
        yield from (f"imports the method {name}" for name in imported(m) if FLOOR.get(home(name)) == 6 and "." in name)


def methods_are_final(m: Module) -> Iterator[str]:
    if m.is_method:
        cards = [c for c in m.all(ast.ClassDef) if any("method(" in ast.unparse(d) for d in c.decorator_list)]
        if len(cards) != 1:
            yield f"holds {len(cards)} classes with @method, not one"
        if any([ast.unparse(b) for b in c.bases] != ["Reconstructor"] for c in cards):
            yield "a method subclasses Reconstructor and nothing else"
        names = {c.name for c in cards}
        yield from (
            f"{c.name} subclasses a method" for c in m.all(ast.ClassDef) if names & {ast.unparse(b) for b in c.bases}
        )


def complex_numbers_stay_complex(m: Module) -> Iterator[str]:
    if m.name == "blocks.complex":
        return
    for call in m.all(ast.Call):
        name = ast.unparse(call.func).rpartition(".")[2]
        parts = {a.attr for n in call.args for a in ast.walk(n) if isinstance(a, ast.Attribute)}
        if name in ("view_as_real", "view_as_complex") or name in ("stack", "cat") and {"real", "imag"} <= parts:
            yield f"line {call.lineno}: {name} of complex numbers belongs in blocks/complex.py"


def files_are_short(m: Module) -> Iterator[str]:
    large = m.name.split(".")[0] in ("teach", "experiments", "data")
    limit, lines = 80 if m.is_method else 250 if large else 150, len(m.text.splitlines())
    if lines > limit:
        yield f"has {lines} lines, more than {limit}"
    starts = [n for n in m.tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    lines = sum(n.end_lineno - n.lineno + 1 for n in starts)
    if m.is_method and lines > 8:
        yield f"has {lines} import lines, more than 8"


def code_lines(function: Function) -> int:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    nodes = (node for statement in body for node in ast.walk(statement) if hasattr(node, "lineno"))
    return len({line for node in nodes for line in (node.lineno, node.end_lineno)})


def functions_are_short(m: Module) -> Iterator[str]:
    for f in m.all(ast.FunctionDef, ast.AsyncFunctionDef):
        limit, lines = 15 if f.name == "forward" and m.is_method else 30, code_lines(f)
        if lines > limit:
            yield f"{f.name} has {lines} lines of code, more than {limit}"


def names_say_something(m: Module) -> Iterator[str]:
    names = [*m.name.split("."), *(n.name for n in m.all(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))]
    bad = re.compile(r"(^|_)(utils?|helpers?|common)($|_)|Utils?$|Helpers?$|Mixin|^Base[A-Z]|^get_")
    yield from (f"{name} says nothing: name what it does" for name in names if bad.search(name))


def arguments_have_names(m: Module) -> Iterator[str]:
    for f in m.all(ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda):
        name = getattr(f, "name", "lambda")
        if f.args.kwarg and (m.name, name) not in NAMED:
            yield f"{name} takes **{f.args.kwarg.arg}"


def only_the_top_floor_plots(m: Module) -> Iterator[str]:
    names = [a.name for n in m.all(ast.Import) for a in n.names]
    names += [n.module or "" for n in m.all(ast.ImportFrom) if not n.level]
    if m.name.split(".")[0] not in ("teach", "show"):
        yield from (f"imports {n}" for n in names if n.split(".")[0] in ("matplotlib", "ipywidgets", "IPython"))


MODL = "methods/unrolled/modl.py"
CARD = "@method('modl')\nclass MoDL(Reconstructor):\n"
BAD: list[tuple[Callable[[Module], Iterator[str]], str, str]] = [
    (imports_run_downward, "ops/sense.py", "from ..solve import cg"),
    (imports_run_downward, "ops/sense.py", "def f():\n  from course_lib.blocks.cnn import cnn"),
    (imports_run_downward, "solve/linear.py", "from .. import losses"),
    (imports_run_downward, "blocks/cnn.py", "import course_lib"),
    (imports_run_downward, "methods/base.py", "from . import METHODS"),
    (imports_run_downward, "methods/base.py", "from .unrolled.modl import MoDL"),
    (imports_run_downward, "tricks.py", ""),
    (imports_run_downward, MODL, "from ...train import fit"),
    (a_method_imports_no_method, MODL, "from .dc_cnn import DCCNN"),
    (a_method_imports_no_method, MODL, "from ..classic import tv"),
    (methods_are_final, MODL, "@method('modl')\nclass MoDL(DCCNN): pass"),
    (methods_are_final, MODL, CARD + " pass\nclass Longer(MoDL): pass"),
    (methods_are_final, MODL, "class MoDL(Reconstructor): pass"),
    (complex_numbers_stay_complex, MODL, "z = torch.view_as_real(x)"),
    (complex_numbers_stay_complex, MODL, "z = torch.stack([x.real, x.imag], 1)"),
    (files_are_short, "ops/sense.py", "\n" * 151),
    (files_are_short, "data/fastmri.py", "\n" * 251),
    (files_are_short, MODL, "\n" * 81),
    (files_are_short, MODL, "import torch\n" * 9),
    (functions_are_short, "ops/sense.py", "def f():\n" + "  x = 1\n" * 31),
    (functions_are_short, MODL, CARD + "  def forward(self, y, A):\n" + "    x = 1\n" * 16),
    (names_say_something, "ops/utils.py", ""),
    (names_say_something, "ops/sense.py", "class ShapeMixin: pass"),
    (names_say_something, "ops/sense.py", "def get_maps(): pass"),
    (arguments_have_names, "methods/base.py", "def fit(model, **kwargs): pass"),
    (only_the_top_floor_plots, "train.py", "def f():\n  import matplotlib.pyplot as plt"),
    (only_the_top_floor_plots, "check.py", "from ipywidgets import Button"),
]
GOOD = [
    (imports_run_downward, "ops/sense.py", "import torch\nfrom .linear import Compose\nfrom ..shapes import agree"),
    (imports_run_downward, "check.py", "from .methods import METHODS\nfrom course_lib.data.sample import Sample"),
    (a_method_imports_no_method, MODL, "from ..base import Reconstructor\nfrom ...solve import cg"),
    (methods_are_final, MODL, "class Block(nn.Module): pass\n" + CARD + " pass"),
    (complex_numbers_stay_complex, MODL, "z = torch.stack([x, z])"),
    (functions_are_short, "ops/a.py", "def f():\n  '''Says.\n\n  Much.'''\n" + "\n  # why\n  x = 1\n" * 30),
    (names_say_something, "ops/sense.py", "def commons_of_the_base(): pass"),
    (arguments_have_names, "methods/base.py", "class Card:\n  def build(self, **changes): pass"),
]
RULES = list(dict.fromkeys(rule for rule, *_ in BAD))


def said(case: tuple) -> str:
    return f"{case[0].__name__}-{case[1]}"


@pytest.mark.parametrize("case", BAD, ids=said)
def test_the_rule_finds_what_is_bad(case):
    rule, path, text = case
    assert list(rule(module(path, text)))


@pytest.mark.parametrize("case", GOOD, ids=said)
def test_the_rule_leaves_in_peace_what_is_good(case):
    rule, path, text = case
    assert not list(rule(module(path, text)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_library_keeps(rule):
    files = sorted((ROOT / "course_lib").rglob("*.py"))
    assert files
    modules = [module(f.relative_to(ROOT / "course_lib").as_posix(), f.read_text("utf-8")) for f in files]
    found = [f"course_lib.{m.name} {what}" for m in modules for what in rule(m)]
    assert not found, "\n".join(found)
