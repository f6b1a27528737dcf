"""What an experiment is: a claim of the review, a measurement, and the verdict that the measurement gives.

The margin and the claimed side are fixed before the data are seen; a verdict is whatever the data say.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ..errors import CourseError
from ..profiles import Profile
from ..scores import Interval

Outcome = Literal["confirmed", "refuted", "not decided"]


@dataclass(frozen=True)
class Verdict:
    """An answer with its size: `effect` in the unit that `measure` names; `remark` says what the number hides."""

    outcome: Outcome
    effect: Interval
    measure: str
    remark: str = ""

    def __str__(self) -> str:
        e = self.effect
        return f"{self.outcome}: {self.measure} {e.mean:+.3g} [{e.low:+.3g}, {e.high:+.3g}]. {self.remark}".rstrip()


@dataclass(frozen=True)
class Experiment:
    """Claim `number` of the review's `section`, as a sentence, and the function that tests it."""

    number: int
    section: str
    claim: str
    run: Callable[[Profile], Verdict]


EXPERIMENTS: dict[int, Experiment] = {}


def experiment(number: int, section: str, claim: str) -> Callable[[Callable[[Profile], Verdict]], Callable]:
    """Decorator: put a function profile -> Verdict on the table of EXPERIMENTS."""

    def register(run: Callable[[Profile], Verdict]) -> Callable[[Profile], Verdict]:
        if number in EXPERIMENTS:
            raise CourseError(f"claim {number} has two experiments")
        EXPERIMENTS[number] = Experiment(number, section, claim, run)
        return run

    return register


def decide(effect: Interval, margin: float = 0.0) -> Outcome:
    """`effect` is turned so that the claim says it is positive.

    Confirmed when the whole interval is above `margin`; refuted when it is below 0, or, with a margin set beforehand,
    when it lies inside [-margin, margin] (equivalence by two one-sided tests); otherwise not decided.
    """
    if effect.low > margin:
        return "confirmed"
    if effect.high < 0 or (margin > 0 and -margin < effect.low and effect.high < margin):
        return "refuted"
    return "not decided"
