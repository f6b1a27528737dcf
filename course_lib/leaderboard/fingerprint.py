"""What a result depends on, as one short number: if it changes, the result is stale.

The code is every definition of the library that the method, training and evaluation reach, by the names that they use,
without comments and docstrings; annotations use nothing. The same on every machine and in every version of Python.
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
from typing import NamedTuple

from ..methods.base import Card

PACKAGE = __name__.partition(".")[0]


class Definition(NamedTuple):
    """A function, a class or a constant at the top of a module; of a module that is imported whole, an empty name."""

    module: str
    name: str


MEASURE = Definition(f"{PACKAGE}.leaderboard.measure", "measure")  # trains and evaluates
TASKS = Definition(f"{PACKAGE}.leaderboard.settings", "settings")  # say what is sampled


class Source(NamedTuple):
    """A module, taken apart."""

    lines: list[str]  # without comments and docstrings
    defined: dict[str, ast.stmt]
    imported: dict[str, Definition]


def fingerprint(card: Card, folder: Path, configuration: dict) -> str:
    """12 hexadecimal digits for code, data and configuration; `folder` holds the data set."""
    found = reached([Definition(card.cls.__module__, card.cls.__name__), MEASURE, TASKS])
    parts = [*map(code, sorted(found)), data(folder), json.dumps(configuration, sort_keys=True)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def reached(start: list[Definition]) -> set[Definition]:
    """The definitions that `start` use, and those that these use, and so on."""
    found, todo = set(), list(start)
    while todo:
        definition = todo.pop()
        if definition not in found:
            found.add(definition)
            todo += _used(definition)
    return found


@cache
def code(definition: Definition) -> str:
    """Its statements, without spaces."""
    source = _source(definition.module)
    node = source.defined[definition.name]
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    return "".join("".join(source.lines[first - 1 : node.end_lineno]).split())


def data(folder: Path) -> str:
    """The name of an embedded data set, which holds its version; of others the names and sizes of the files."""
    if folder.name.startswith("embedded-"):
        return folder.name
    return json.dumps(sorted((str(f.relative_to(folder)), f.stat().st_size) for f in folder.rglob("*.h5")))


@cache
def _used(definition: Definition) -> tuple[Definition, ...]:
    return tuple(set(_uses(definition)))


def _uses(definition: Definition) -> Iterator[Definition]:
    """What the names in a definition stand for, as far as the library defines it."""
    source = _source(definition.module)
    nodes = list(_without_annotations(source.defined[definition.name]))
    owners = {id(node.value): node.attr for node in nodes if isinstance(node, ast.Attribute)}
    for node in nodes:
        if not isinstance(node, ast.Name):
            continue
        there = source.imported.get(node.id)
        if there is None:
            yield from _home(Definition(definition.module, node.id))
        elif there.name:
            yield from _home(there)
        else:  # a module: what is taken from it, or all of it
            for name in [owners[id(node)]] if id(node) in owners else _source(there.module).defined:
                yield from _home(Definition(there.module, name))


def _without_annotations(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all that is below it, but for what says of what type something is."""
    yield node
    for name, field in ast.iter_fields(node):
        for below in field if isinstance(field, list) else [field]:
            if isinstance(below, ast.AST) and name not in ("annotation", "returns"):
                yield from _without_annotations(below)


def _home(definition: Definition) -> Iterator[Definition]:
    """Where a name is defined: packages pass on what their modules define."""
    source = _source(definition.module)
    if definition.name in source.defined:
        yield definition
    elif (there := source.imported.get(definition.name)) and there.name:
        yield from _home(there)


@cache
def _source(module: str) -> Source:
    text = inspect.getsource(sys.modules[module])
    tree, lines = ast.parse(text), text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            lines[token.start[0] - 1] = lines[token.start[0] - 1][: token.start[1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines[node.lineno - 1 : node.end_lineno] = [""] * ((node.end_lineno or 0) - node.lineno + 1)
    defined = {name: node for node in tree.body for name in _names(node)}
    return Source(lines, defined, dict(_imports(module, tree)))


def _names(node: ast.stmt) -> Iterator[str]:
    """What a statement at the top of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    yield from (name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name))


def _imports(module: str, tree: ast.Module) -> Iterator[tuple[str, Definition]]:
    """The names that a module imports from the library; of a module that is imported whole, no name."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        base = importlib.util.resolve_name("." * node.level + (node.module or ""), sys.modules[module].__package__)
        for alias in node.names if base.split(".")[0] == PACKAGE else ():
            whole = f"{base}.{alias.name}"
            of_its_own = whole in sys.modules and not callable(getattr(sys.modules[base], alias.name))
            yield alias.asname or alias.name, Definition(whole, "") if of_its_own else Definition(base, alias.name)
