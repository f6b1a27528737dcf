"""How every row is measured: the result is compared with a float64 reference first, then all are timed in turn.

One round times each contender once, so that whatever else the machine does meets all of them; what is reported is
the median of at least five rounds and the median of the ratios inside the rounds.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median, quantiles

import torch

Run = Callable[[], object]  # the work that is timed; returns the result
Prepare = Callable[[], Run]  # imports and sets up, not timed; an ImportError or Missing becomes an empty cell


@dataclass(frozen=True)
class Scale:
    """How large the problems are and how often each is timed."""

    n: int = 320
    coils: int = 16
    batch: int = 8
    rounds: int = 5
    seconds: float = 10.0  # more rounds than `rounds` while they fit into this
    reach: int = 300  # most iterations that a compressed sensing solver may take
    device: str = "cpu"


FULL = Scale()
QUICK = Scale(n=128, coils=8, batch=2, rounds=5, seconds=1.0, reach=80)
TINY = Scale(n=32, coils=4, batch=2, rounds=1, seconds=0.0, reach=8)


@dataclass(frozen=True)
class Goal:
    """What the median ratio time(other) / time(ours) must be; `other` is a name or "best peer"."""

    other: str
    ratio: float


@dataclass(frozen=True)
class Row:
    """One task: `ours` and the peers give the same result, the limits are bare transforms that none can beat."""

    title: str
    ours: Prepare
    peers: Mapping[str, Prepare]
    difference: Callable[[object], float]
    tolerance: float
    limits: Mapping[str, Prepare] = field(default_factory=dict)
    goals: tuple[Goal, ...] = ()
    unit: str = "difference to float64"
    note: str = ""
    reading: Callable[[object], list[float]] | None = None  # a run that measures itself gives its seconds here


OURS = "course_lib"


class Missing(Exception):
    """A contender cannot take part; the message is the reason in its empty cell."""


def measure(row: Row, scale: Scale, only: set[str] | None = None) -> dict:
    """Compare, then time; a plain dictionary for JSON."""
    cells, runs = {}, {}
    for name, prepare, compared in _contenders(row):
        if only is None or name in only or name == OURS or not compared:
            cells[name], run = _first(row, prepare, compared, scale.device)
            if run:
                runs[name] = run
    times = {name: [] for name in runs}
    for _ in range(_rounds(cells, scale)):
        for name, run in runs.items():
            seconds, result = _timed(run, scale.device)
            times[name].append(row.reading(result) if row.reading else seconds)
    for name, seconds in times.items():
        cells[name] |= _summary(seconds, times[OURS]) if OURS in times else _summary(seconds, seconds)
    goals = [_verdict(goal, cells, row) for goal in row.goals]
    return {"title": row.title, "unit": row.unit, "note": row.note, "cells": cells, "goals": goals}


def _contenders(row: Row) -> Iterator[tuple[str, Prepare, bool]]:
    yield OURS, row.ours, True
    yield from ((name, prepare, False) for name, prepare in row.limits.items())
    yield from ((name, prepare, True) for name, prepare in row.peers.items())


def _first(row: Row, prepare: Prepare, compared: bool, device: str) -> tuple[dict, Run | None]:
    """Set up and warm up once; the run is dropped where its result is wrong, or where something is missing."""
    try:
        run = prepare()
        result = run()
    except (ImportError, Missing) as error:
        return {"missing": str(error)}, None
    if not compared:
        return {"warm": _timed(run, device)[0]}, run
    difference = row.difference(result)
    cell = {"difference": difference, "warm": _timed(run, device)[0]}
    if not difference <= row.tolerance:
        return cell | {"missing": f"not timed: {row.unit} above {row.tolerance:.2g}"}, None
    return cell, run


def _rounds(cells: dict, scale: Scale) -> int:
    once = sum(cell.pop("warm", 0.0) for cell in cells.values())
    return max(scale.rounds, min(int(scale.seconds / max(once, 1e-9)), 50))


def _timed(run: Run, device: str) -> tuple[float, object]:
    if device != "cuda":
        start = time.perf_counter()
        result = run()
        return time.perf_counter() - start, result
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    result = run()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / 1000, result


def _summary(seconds: list[float], ours: list[float]) -> dict:
    quarters = quantiles(seconds, n=4) if len(seconds) > 1 else [seconds[0]] * 3
    middle = median(seconds)
    return {
        "ms": 1000 * middle,
        "fastest_ms": 1000 * min(seconds),
        "spread": (quarters[2] - quarters[0]) / middle,
        "ratio": median(other / own for other, own in zip(seconds, ours)),
        "rounds": len(seconds),
    }


def _verdict(goal: Goal, cells: dict, row: Row) -> dict:
    names = row.peers if goal.other == "best peer" else [goal.other]
    ratios = {name: cells[name]["ratio"] for name in names if "ratio" in cells.get(name, {})}
    found = min(ratios.values()) if ratios and "ratio" in cells[OURS] else None
    met = None if found is None else bool(found >= goal.ratio)
    return {"other": goal.other, "goal": goal.ratio, "found": found, "met": met}
