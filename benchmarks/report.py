"""The results as JSON, and as a Markdown table that a person reads."""

import json
from pathlib import Path

from .harness import OURS

RESULTS = Path(__file__).parent / "results"


def write(facts: dict, results: list[dict], folder: Path = RESULTS) -> Path:
    """Write <machine>.json and <machine>.md; rows not measured this time stay, and peers' versions. Returns the .md."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{facts['machine']}.json"
    before = json.loads(path.read_text()) if path.exists() else {"rows": [], "versions": {}}
    rows = {row["title"]: row for row in [*before["rows"], *results]}
    facts = facts | {"versions": before["versions"] | facts["versions"]}
    path.write_text(json.dumps(facts | {"rows": list(rows.values())}, indent=1) + "\n")
    table = path.with_suffix(".md")
    table.write_text(markdown(facts, list(rows.values())))
    return table


def markdown(facts: dict, rows: list[dict]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    head = [
        f"# Benchmarks on {facts['machine']}",
        "",
        "Medians of interleaved runs. Ratio: time over ours in the same round. Spread: middle half over the median.",
        f"{versions}; load at the start {facts['load_at_start']:.1f}; {facts['openmp'] or 'OpenMP as it comes'}.",
    ]
    return "\n".join([*head, *(line for row in rows for line in section(row))]) + "\n"


def section(row: dict) -> list[str]:
    """One row of the benchmark as a heading, a table and its goals."""
    names = f"| | ms | fastest | spread | ratio | {row['unit']} | |"
    lines = ["", f"## {row['title']}", "", names, "|---|---:|---:|---:|---:|---:|---|"]
    lines += [_line(name, cell) for name, cell in row["cells"].items()]
    goals = [_goal(goal) for goal in row["goals"]]
    words = [*([row["note"] + "."] if row["note"] else []), *(["Goals: " + "; ".join(goals) + "."] if goals else [])]
    return [*lines, "", *words]


def _line(name: str, cell: dict) -> str:
    time = [""] * 4
    if "ms" in cell:
        time = [_number(cell["ms"]), _number(cell["fastest_ms"]), f"{cell['spread']:.0%}", f"{cell['ratio']:.2f}"]
    difference = f"{cell['difference']:.2g}" if "difference" in cell else ""
    label = f"**{name}**" if name == OURS else name
    return f"| {label} | {' | '.join(time)} | {difference} | {cell.get('missing', '')} |"


def _number(ms: float) -> str:
    return f"{ms:.0f}" if ms >= 100 else f"{ms:.3g}"


def _goal(goal: dict) -> str:
    if goal["found"] is None:
        return f"{goal['other']} not measured (goal {goal['goal']:.2f})"
    word = "met" if goal["met"] else "**missed**"
    return f"{goal['other']} >= {goal['goal']:.2f}: {goal['found']:.2f} {word}"
