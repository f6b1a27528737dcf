"""Verdicts as text: for a screen, for the course's docs, and for programs."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from textwrap import fill, indent

from ..errors import CourseError
from ..profiles import Profile
from .base import EXPERIMENTS, Experiment, Verdict


@dataclass(frozen=True)
class Answer:
    """An experiment that was run: its verdict, and how long it took."""

    experiment: Experiment
    verdict: Verdict
    seconds: float

    def facts(self) -> dict:
        """For programs."""
        e = self.experiment
        about = {"number": e.number, "section": e.section, "claim": e.claim, "seconds": self.seconds}
        return about | asdict(self.verdict)


def answers(numbers: Sequence[int], where: Profile) -> Iterator[Answer]:
    """Run these experiments, all when none is named, one after the other. Raises CourseError for unknown numbers."""
    unknown = [n for n in numbers if n not in EXPERIMENTS]
    if unknown:
        known = ", ".join(map(str, sorted(EXPERIMENTS)))
        raise CourseError("no such experiment", f"some of {known}", ", ".join(map(str, unknown)))
    for number in numbers or sorted(EXPERIMENTS):
        start = time.monotonic()
        verdict = EXPERIMENTS[number].run(where)
        yield Answer(EXPERIMENTS[number], verdict, time.monotonic() - start)


def lines(answer: Answer) -> str:
    """One experiment for a screen."""
    e, v = answer.experiment, answer.verdict
    first = f"{e.number:3d}  {v.outcome.upper()}  ({answer.seconds:.1f} s)  {e.claim}"
    rest = fill(f"{v.measure}: {effect(v)}. {v.remark}", 110)
    return f"{first}\n{indent(rest, 5 * ' ')}"


def markdown(answers: Sequence[Answer], profile: str) -> str:
    """The table of the docs: nothing in it names a day or a machine."""
    rows = [
        f"| {a.experiment.number} | {a.experiment.section} | {a.experiment.claim} | **{a.verdict.outcome}** "
        f"| {a.verdict.measure}: {effect(a.verdict)} | {a.verdict.remark} |"
        for a in answers
    ]
    command = f"python -m course_lib experiments --profile {profile} --output docs/verdicts.md"
    return "\n".join(
        [
            "# Verdicts on the review's claims",
            "",
            f"Written by `{command}`. Square brackets: 95 % bootstrap intervals over slices.",
            "Confirmed: it lies above the margin that the code fixed beforehand. Refuted: it lies below zero,",
            "or within the margin on both sides. The data are few simulated subjects and one real scan: a verdict is",
            "about them, not about all of MRI. Networks train by the clock, so their numbers vary from run to run.",
            "",
            "| claim | review | sentence | verdict | effect | what the number hides |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def effect(verdict: Verdict) -> str:
    e = verdict.effect
    return f"{e.mean:+.3g} [{e.low:+.3g}, {e.high:+.3g}]"
