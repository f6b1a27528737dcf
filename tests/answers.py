"""What every exercise answers: `python tests/answers.py` prints it for right, other, unwritten and wrong solutions."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

from course_lib.teach import check
from course_lib.teach.exercise import STUB

LEARNERS = [
    importlib.import_module(f"solutions_of_learners.{name}") for name in sorted({n[:4] for n in check.EXERCISES})
]
RIGHT = {name: solution for module in LEARNERS for name, solution in module.RIGHT.items()}
WRONG = [
    (name, diagnosis, solution)
    for module in LEARNERS
    for name, mistakes in module.WRONG.items()
    for diagnosis, solution in mistakes.items()
]


def stub(*arguments, **named):
    raise NotImplementedError(STUB)


def table() -> Iterator[str]:
    """A line for each exercise and solution, `!` where the verdict is not what it should be."""
    for name, exercise in check.EXERCISES.items():
        yield name
        yield _line(exercise, "the course's solution", exercise.reference, "right")
        yield _line(exercise, "another right solution", RIGHT[name], "right")
        yield _line(exercise, "not written", stub, "not written yet")
        for planted, diagnosis, solution in WRONG:
            if planted == name:
                yield _line(exercise, "a planted mistake", solution, diagnosis)


def _line(exercise: Callable, what: str, solution: Callable, expected: str) -> str:
    verdict = exercise(solution)
    return f"{' ' if verdict.diagnosis == expected else '!'}   {what:24}{verdict}"


if __name__ == "__main__":
    lines = list(table())
    print("\n".join(lines))
    sys.exit(any(line.startswith("!") for line in lines))
