"""Questions with explained answers: buttons in a live notebook, folded text where nothing runs.

Both come from the same words. In a notebook that is only read (GitHub, a printed page) each option unfolds into its
explanation.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from zlib import crc32

import ipywidgets
from ipywidgets import HTML, Button, Layout, RadioButtons, Text, VBox

from .exercise import Verdict

VIEW = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True)
class Choice:
    """A question and its options, {option: explanation}, in an order that depends on the words alone."""

    question: str
    right: dict[str, str]
    wrong: dict[str, str]

    @property
    def options(self) -> dict[str, str]:
        everything = self.right | self.wrong
        return {option: everything[option] for option in sorted(everything, key=lambda o: crc32(o.encode()))}

    def answer(self, option: str) -> Verdict:
        right = option in self.right
        return Verdict(right, "right" if right else "not so", self.options[option])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict:
        chosen = RadioButtons(options=list(self.options), index=None, layout=Layout(width="auto"))
        return _bundle(self, chosen, lambda: self.answer(chosen.value) if chosen.value else None)

    def html(self) -> str:
        folded = "".join(_folded(option, str(self.answer(option))) for option in self.options)
        return f"<p>{escape(self.question)}</p>{folded}"


@dataclass(frozen=True)
class Number:
    """A question whose answer is a number that code finds. near: {value: what it would come from}."""

    question: str
    value: float
    explanation: str
    near: dict[float, str] = field(default_factory=dict)
    tolerance: float = 0.02

    def answer(self, typed: str | float) -> Verdict:
        try:
            number = float(typed)
        except ValueError:
            return Verdict(False, "not a number", f"found {typed!r}; write it as 0.25 or 2.5e-1")
        if self._is(number, self.value):
            return Verdict(True, "right", self.explanation)
        why = next((words for value, words in self.near.items() if self._is(number, value)), "compute it in a cell")
        return Verdict(False, "not so", why)

    def _is(self, number: float, value: float) -> bool:
        return abs(number - value) <= self.tolerance * max(abs(value), 1e-12)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict:
        typed = Text(placeholder="a number")
        return _bundle(self, typed, lambda: self.answer(typed.value) if typed.value else None)

    def html(self) -> str:
        return f"<p>{escape(self.question)}</p>" + _folded("Answer", f"{self.value:.4g}: {self.explanation}")


def choice(question: str, right: dict[str, str], wrong: dict[str, str]) -> Choice:
    """One question with one right option (or more) and wrong ones, each with its explanation."""
    return Choice(question, right, wrong)


def number(
    question: str,
    value: float,
    explanation: str,
    near: dict[float, str] | None = None,
    tolerance: float = 0.02,
) -> Number:
    """A question that needs code: the number, right within a relative tolerance, and what wrong numbers come from."""
    return Number(question, float(value), explanation, near or {}, tolerance)


def _bundle(question: Choice | Number, entry: ipywidgets.Widget, answer: Callable[[], Verdict | None]) -> dict:
    """What a notebook shows: the widget where there is a kernel, folded HTML elsewhere."""
    said, button = HTML(), Button(description="Check")

    def respond(_: object) -> None:
        verdict = answer()
        said.value = escape(str(verdict)) if verdict else "Choose or write an answer first."

    button.on_click(respond)
    box = VBox([HTML(f"<b>{escape(question.question)}</b>"), entry, button, said])
    live = {"version_major": 2, "version_minor": 0, "model_id": box.model_id}  # the same for ipywidgets 7 and 8
    return {VIEW: live, "text/html": question.html(), "text/plain": question.question}


def _folded(title: str, words: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{escape(words)}</details>"
