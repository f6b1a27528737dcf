"""The board on the disk: rows are made one by one, and each is written down before the next begins."""

import json
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock
from tqdm.auto import tqdm

from .. import data
from ..errors import CourseError
from .entry import Entry
from .measure import measure

KEY = ("method", "setting", "acceleration", "seed")


def fill(board: Path, entries: Sequence[Entry]) -> list[dict]:
    """Make the rows that are missing or stale; networks' weights go into a folder beside the board."""
    there = {row["fingerprint"] for row in read(board)}
    missing = [entry for entry in entries if entry.now not in there]
    weights = board.with_name(board.stem.replace("leaderboard", "weights"))
    with tqdm(missing, unit="row", disable=not missing) as bar:
        for entry in bar:
            bar.set_postfix_str(", ".join(f"{value}" for value in entry.key.values()))
            add(board, measure(entry, weights))
    return read(board)


def read(board: Path) -> list[dict]:
    """The rows of a board; none if it is not there. Raises CourseError when the file is damaged."""
    if not board.exists():
        return []
    try:
        return json.loads(board.read_text("utf-8"))["rows"]
    except (ValueError, KeyError, TypeError) as error:
        raise CourseError(f"{board} is damaged", "a leaderboard", str(error), "delete it") from error


def add(board: Path, new: dict) -> None:
    """Put a row in the place of the older one of the same entry; other processes may write to the board meanwhile."""
    board.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(board.with_name(f".{board.name}.lock")):
        others = [old for old in read(board) if any(old[k] != new[k] for k in KEY)]
        with data.whole(board) as part:
            part.write_text(json.dumps({"rows": [*others, new]}, indent=1) + "\n", "utf-8")
