"""Verdicts as text: for a screen, for the course's docs, and for programs."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import fill, indent

from ..data.atomic import whole
from ..errors import CourseError
from ..profiles import Profile
from ..scores import Interval
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
    """Run these experiments one after the other. Raises CourseError for unknown numbers before it begins."""
    unknown = [n for n in numbers if n not in EXPERIMENTS]
    if unknown:
        known = ", ".join(map(str, sorted(EXPERIMENTS)))
        raise CourseError("no such experiment", f"some of {known}", ", ".join(map(str, unknown)))
    for number in numbers:
        start = time.monotonic()
        verdict = EXPERIMENTS[number].run(where)
        yield Answer(EXPERIMENTS[number], verdict, time.monotonic() - start)


def lines(answer: Answer) -> str:
    """One experiment for a screen."""
    e, v = answer.experiment, answer.verdict
    first = f"{e.number:3d}  {v.outcome.upper()}  ({answer.seconds:.1f} s)  {e.claim}"
    rest = fill(f"{v.measure}: {effect(v.effect)}. {v.remark}", 110)
    return f"{first}\n{indent(rest, 5 * ' ')}"


def keep(answer: Answer, profile: str, table: Path) -> None:
    """Put the answer into a Markdown table, among those kept before; a JSON file beside it holds the facts.

    Raises CourseError when those before are of another profile.
    """
    file = table.with_suffix(".json")
    before = json.loads(file.read_text("utf-8")) if file.exists() else {"profile": profile, "verdicts": []}
    if before["profile"] != profile:
        raise CourseError(
            f"{file} holds another profile's verdicts", profile, before["profile"], "write to another file"
        )
    rows = {row["number"]: row for row in [*before["verdicts"], answer.facts()]}
    verdicts = [rows[number] for number in sorted(rows)]
    for path, text in (
        (file, json.dumps({"profile": profile, "verdicts": verdicts}, indent=1) + "\n"),
        (table, markdown(verdicts, profile)),
    ):
        with whole(path) as part:
            part.write_text(text, "utf-8")


def kept(table: Path) -> set[int]:
    """The claims that `keep` has put into a table."""
    file = table.with_suffix(".json")
    return {row["number"] for row in json.loads(file.read_text("utf-8"))["verdicts"]} if file.exists() else set()


def markdown(verdicts: Sequence[dict], profile: str) -> str:
    """The table of the docs, from facts: nothing in it names a day or a machine."""
    rows = [
        f"| {v['number']} | {v['section']} | {v['claim']} | **{v['outcome']}** "
        f"| {v['measure']}: {effect(Interval(**v['effect']))} | {v['remark']} |"
        for v in verdicts
    ]
    command = f"python -m course_lib experiments --profile {profile} --output docs/verdicts.md"
    counts = Counter(v["outcome"] for v in verdicts)
    return "\n".join(
        [
            "# Verdicts on the review's claims",
            "",
            f"Written by `{command}`. Square brackets: 95 % bootstrap intervals over slices.",
            "Confirmed: it lies above the margin that the code fixed beforehand. Refuted: it lies below zero,",
            "or within the margin on both sides. The data are few simulated subjects and one real scan: a verdict is",
            "about them, not about all of MRI. Networks train by the clock, so their numbers vary from run to run.",
            "",
            f"{len(verdicts)} claims: " + ", ".join(f"{n} {outcome}" for outcome, n in counts.most_common()) + ".",
            "",
            "| claim | review | sentence | verdict | effect | what the number hides |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def effect(e: Interval) -> str:
    return f"{e.mean:+.3g} [{e.low:+.3g}, {e.high:+.3g}]"
