"""What a result depends on, as one short number: if it changes, the result is stale.

The code is every module of the library that the method, training and evaluation reach by their imports, without
comments and docstrings; the data are the checksums of their files.
"""

import ast
import hashlib
import importlib.util
import inspect
import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ..methods.base import Card

PACKAGE = __name__.partition(".")[0]
MEASURE = f"{PACKAGE}.leaderboard.measure"  # trains and evaluates


def fingerprint(card: Card, folder: Path, configuration: dict) -> str:
    """12 hexadecimal digits for code, data and configuration; `folder` holds the data set."""
    modules = reached([card.cls.__module__, MEASURE])
    parts = [*(code(name) for name in sorted(modules)), data(folder), json.dumps(configuration, sort_keys=True)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def reached(names: list[str]) -> set[str]:
    """The modules of the library that `names` import, and those that these import, and so on."""
    found, todo = set(), list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += _imported(name)
    return found


@cache
def code(name: str) -> str:
    """A module's statements, without comments and docstrings, each layout the same."""
    tree = ast.parse(inspect.getsource(sys.modules[name]))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def data(folder: Path) -> str:
    """The checksums in the manifest of a data set; without one, names and sizes of its files."""
    manifest = folder / "manifest.json"
    if manifest.exists():
        listed = json.loads(manifest.read_text("utf-8"))
        return json.dumps({name: entry["sha256"] for name, entry in sorted(listed.items())})
    return json.dumps(sorted((str(f.relative_to(folder)), f.stat().st_size) for f in folder.rglob("*.h5")))


@cache
def _imported(name: str) -> tuple[str, ...]:
    return tuple(set(_imports(name)))


def _imports(name: str) -> Iterator[str]:
    """Where what a module imports from the library is defined: its own module, not the package that passes it on."""
    module = sys.modules[name]
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if not isinstance(node, ast.ImportFrom):
            continue
        base = importlib.util.resolve_name("." * node.level + (node.module or ""), module.__package__)
        if base.split(".")[0] != PACKAGE:
            continue
        for alias in node.names:
            whole = f"{base}.{alias.name}"
            owner = getattr(getattr(sys.modules[base], alias.name), "__module__", base)
            yield (
                whole if whole in sys.modules else owner if owner in sys.modules and owner.startswith(PACKAGE) else base
            )
