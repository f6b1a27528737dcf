"""What a result depends on, as one short number: if it changes, the result is stale.

The code is every module of the library that the method, training and evaluation reach by their imports, without
comments, docstrings, imports and claims. The same on every machine and in every version of Python.
"""

import ast
import hashlib
import importlib.util
import inspect
import io
import json
import sys
import tokenize
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
    """A module's statements without comments, docstrings, imports and spaces, up to its first claim."""
    text = inspect.getsource(sys.modules[name])
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            lines[token.start[0] - 1] = lines[token.start[0] - 1][: token.start[1]]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("claim_"):
            del lines[node.lineno - 1 :]
        elif isinstance(node, ast.stmt) and _changes_nothing(node):
            for line in range(node.lineno, min(node.end_lineno or 0, len(lines)) + 1):
                lines[line - 1] = ""
    return "".join("".join(lines).split())


def _changes_nothing(node: ast.stmt) -> bool:
    """Whether it is an import, whose module counts by itself, a list of names, or a docstring."""
    if isinstance(node, ast.Assign):
        return isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__"
    text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return text or isinstance(node, ast.Import | ast.ImportFrom)


def data(folder: Path) -> str:
    """The name of an embedded data set, which holds its version; of others the names and sizes of the files."""
    if folder.name.startswith("embedded-"):
        return folder.name
    return json.dumps(sorted((str(f.relative_to(folder)), f.stat().st_size) for f in folder.rglob("*.h5")))


@cache
def _imported(name: str) -> tuple[str, ...]:
    return tuple(set(_imports(name)))


def _imports(name: str) -> Iterator[str]:
    """Where what a module imports from the library is defined: its own module, not the package that passes it on."""
    module = sys.modules[name]
    tree = ast.parse(inspect.getsource(module))
    if hasattr(module, "__path__") and not any(isinstance(node, ast.FunctionDef) for node in tree.body):
        return  # a package that only passes on what its modules define
    for node in ast.walk(tree):
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
