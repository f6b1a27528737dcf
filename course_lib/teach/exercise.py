"""Exercises that answer back: a learner's function is run on small cases, and a wrong answer is named.

A mistake is known by what it does: an exercise holds wrong solutions beside its reference, and whoever computes the
same as one of them has made that mistake. Mistakes that every exercise shares (a conjugate, a factor, a shift) are
recognised by `relation`. Nothing that a learner writes can raise out of here.
"""

import linecache
import os
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CourseError
from .relation import differs, relation

STUB = "your code here"  # what a student's notebook raises; torch raises NotImplementedError for reasons of its own


@dataclass(frozen=True)
class Verdict:
    """What `check` says: right or not, the mistake's name, and a sentence."""

    right: bool
    diagnosis: str
    words: str = ""

    def __str__(self) -> str:
        return f"{'✓' if self.right else '✗'} {self.diagnosis}" + (f": {self.words}" if self.words else "")

    __repr__ = __str__


@dataclass(frozen=True)
class Exercise:
    """A task with its solution. Called with a learner's solution it returns a `Verdict`.

    reference: a right solution. cases: makes the arguments of each call, always the same. mistakes: {"name: what to
    think about": a solution that makes this mistake}. run: how a solution is used, by default called with the
    arguments. differentiable: a gradient must reach the first argument that can have one, or the parameters of the
    module that `run` is given.
    """

    reference: Callable
    cases: Callable[[], Sequence[tuple]]
    mistakes: dict[str, Callable] = field(default_factory=dict)
    run: Callable[..., Any] = lambda solution, *arguments: solution(*arguments)
    tolerance: float = 1e-4
    differentiable: bool = False

    def __call__(self, solution: Callable) -> Verdict:
        try:
            return self._judge(solution)
        except _Stopped as stopped:
            return stopped.verdict

    def _judge(self, solution: Callable) -> Verdict:
        cases = self.cases()
        for number, arguments in enumerate(cases, 1):
            given = _copied(arguments)
            answer = _tried(self.run, solution, given)
            shape = next((f", input {tuple(a.shape)}" for a in arguments if isinstance(a, Tensor)), "")
            where = f"case {number} of {len(cases)}{shape}"
            if any(isinstance(a, Tensor) and not torch.equal(a, b) for a, b in zip(given, arguments)):
                return Verdict(False, "it changes its input", f"{where}; work on a copy")
            expected = self.run(self.reference, *_copied(arguments))
            if wrong := differs(answer, expected, self.tolerance):
                return self._named(solution) or Verdict(False, wrong.name, f"{wrong.words} ({where})".strip())
        if self.differentiable and not self._gradient_arrives(solution, cases[0]):
            return Verdict(
                False, "the gradient reaches nothing", "is there a detach, a .data, a round trip through numpy?"
            )
        return Verdict(True, "right", f"{len(cases)} cases")

    def _named(self, solution: Callable) -> Verdict | None:
        """The mistake that gives what the solution gives, in every case."""
        answers = [_tried(self.run, solution, _copied(arguments)) for arguments in self.cases()]
        for name, mistake in self.mistakes.items():
            made = [self.run(mistake, *_copied(arguments)) for arguments in self.cases()]
            if not any(differs(a, b, self.tolerance) for a, b in zip(answers, made)):
                return Verdict(False, *name.split(": ", 1))
        expected = [self.run(self.reference, *_copied(arguments)) for arguments in self.cases()]
        found = [relation(a, b, self.tolerance) for a, b in zip(answers, expected) if differs(a, b, self.tolerance)]
        shared = {mistake.name if mistake else None for mistake in found}
        return Verdict(False, *found[0]) if len(shared) == 1 and found[0] else None

    def _gradient_arrives(self, solution: Callable, arguments: tuple) -> bool:
        given = _copied(arguments)
        leaf = next((a for a in given if isinstance(a, Tensor) and (a.is_floating_point() or a.is_complex())), None)
        modules = [a for a in given if isinstance(a, nn.Module)]
        leaves = [p for m in modules for p in m.parameters()] or ([leaf.requires_grad_()] if leaf is not None else [])
        answer = _tried(self.run, solution, given)
        if not isinstance(answer, Tensor) or not answer.requires_grad:
            return False
        gradients = torch.autograd.grad(answer.abs().square().sum(), leaves, allow_unused=True)
        return any(g is not None and bool(g.any()) for g in gradients)


def use(solution: Callable, exercise: Exercise) -> Callable:
    """The learner's solution when it is right, else the course's: nobody is stuck. Says which one runs.

    Raises `CourseError` for a wrong one when COURSE_STRICT is set, as it is for the course's own solutions.
    """
    verdict = exercise(solution)
    if not verdict.right and os.environ.get("COURSE_STRICT"):
        raise CourseError(f"the solution {solution.__name__} is wrong", found=str(verdict))
    print("your solution runs" if verdict.right else f"{verdict}\nthe course's solution runs until yours is right")
    return solution if verdict.right else exercise.reference


class _Stopped(Exception):
    def __init__(self, verdict: Verdict):
        self.verdict = verdict


def _tried(run: Callable, solution: Callable, arguments: Sequence) -> Any:
    """What a solution returns; whatever it raises becomes a verdict."""
    try:
        return run(solution, *arguments)
    except Exception as error:
        if isinstance(error, NotImplementedError) and str(error) == STUB:
            verdict = Verdict(False, "not written yet", "replace the line that raises NotImplementedError")
            raise _Stopped(verdict) from None
        raise _Stopped(Verdict(False, "it stops", _said(error, solution))) from None


def _said(error: Exception, solution: Callable) -> str:
    """The error in a sentence, with the learner's line in which it happened."""
    file = getattr(getattr(solution, "__code__", None), "co_filename", None)
    frames = traceback.extract_tb(error.__traceback__)
    mine = [frame for frame in frames if frame.filename == file]
    line = linecache.getline(mine[-1].filename, mine[-1].lineno or 0).strip() if mine else ""
    message = str(error).splitlines()[0] if str(error) else "no message"
    return f"{type(error).__name__}, {message}" + (f" (in the line `{line}`)" if line else "")


def _copied(arguments: Sequence) -> list:
    return [a.clone() if isinstance(a, Tensor) else a for a in arguments]
