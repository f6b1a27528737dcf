"""From the text to the source: a method's equation, card, code and claims; and what two methods differ in."""

import difflib
import inspect
import sys

from .check import check, claims
from .methods import card


def show(name: str, source: bool = True, verify: bool = True) -> str:
    """Equation, card, source and claims of a method as text, each claim with a tick when it holds here and now."""
    c = card(name)
    parts = [inspect.cleandoc(sys.modules[c.cls.__module__].__doc__ or ""), _facts(name)]
    if source:
        parts.append(inspect.getsource(c.cls).rstrip())
    ticks = check(name) if verify else [f"- {text}" for text in claims(name)]
    parts.append("\n".join(str(tick) for tick in ticks))
    return "\n\n".join(parts)


def diff(first: str, second: str) -> str:
    """The lines in which the classes of two methods differ, as a unified diff; their cards are left out."""
    a, b = (_class_lines(name) for name in (first, second))
    return "\n".join(difflib.unified_diff(a, b, first, second, lineterm=""))


def _class_lines(name: str) -> list[str]:
    """The source of a method's class from the line that begins with `class`: without its decorator."""
    lines = inspect.getsource(card(name).cls).splitlines()
    return lines[next(i for i, line in enumerate(lines) if line.startswith("class ")) :]


def _facts(name: str) -> str:
    c = card(name)
    chosen = inspect.signature(c.cls.__init__).parameters.values()
    defaults = ", ".join(_setting(p) for p in chosen if p.default is not p.empty)
    model = c.build()
    count = sum(p.numel() for p in model.own())
    critic = sum(p.numel() for p in model.parameters()) - count
    lines = [
        f"review section {c.section}" + (f", reference [{c.ref}]" if c.ref else ""),
        f"learns from: {c.learns}",
        f"settings: {defaults or 'none'}",
        f"parameters: {count:,}" + (f"; on a CPU {c.small}" if c.small else ""),
    ]
    lines += [f"its critic, for training only: {critic:,} parameters"] if critic else []
    return "\n".join(lines + [f"differs: {sentence}" for sentence in c.differs])


def _setting(p: inspect.Parameter) -> str:
    """`width: int = 32`; a function by its name, as in `loss = mse`: its address differs from run to run."""
    return f"{p.name} = {p.default.__name__}" if inspect.isfunction(p.default) else str(p)
