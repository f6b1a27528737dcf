"""A folder of files that are made when they are missing and never trusted when they are damaged.

A manifest lists size, time and sha256 of every file, and is written after the file is safely on the disk: what is not
listed, or not as listed, is made again. So a crash, Ctrl-C or a full disk at any moment costs at most one file's work.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import CourseError
from .atomic import one_line, whole

Make = Callable[[Path], None]  # writes one file, whole or not at all


def fill(folder: Path, files: dict[str, Make], label: str, progress: bool, thorough: bool) -> None:
    """Make what is missing or damaged of `files` (name in the folder -> what makes it); `label` says what they are.

    Files are trusted by size and time; where only the time differs (a copy), and with `thorough` always, by sha256.
    A second process waits for the first. Raises CourseError, one line, when the folder cannot be written.
    """
    if not _doubtful(folder, files, thorough):
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder, progress):
            missing = _doubtful(folder, files, thorough)
            for done, name in enumerate(missing):
                _tell(progress, f"preparing {label}: {done + 1}/{len(missing)} files")
                _make(folder, name, files[name])
            _tell(progress and bool(missing), f"{label} is ready in {folder}\n")
    except OSError as error:
        remedy = "free disk space, or set COURSE_DATA to a folder that you may write to"
        raise CourseError(f"{label} could not be written to {folder}", found=one_line(error), remedy=remedy) from error


def _manifest(folder: Path) -> dict:
    """What is known about the files; nothing if the manifest is missing or damaged."""
    try:
        content = json.loads((folder / "manifest.json").read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _doubtful(folder: Path, files: dict[str, Make], thorough: bool) -> list[str]:
    """Names of the files that are missing, unlisted or not as listed."""
    listed = _manifest(folder)
    return [name for name in files if not _sound(folder / name, listed.get(name), thorough)]


def _sound(path: Path, listed: object, thorough: bool) -> bool:
    try:
        found = path.stat()
        if not isinstance(listed, dict) or found.st_size != listed["size"]:
            return False
        if found.st_mtime_ns == listed["time"] and not thorough:
            return True
        if _sha256(path) != listed["sha256"]:
            return False
        with suppress(OSError):  # copied, not damaged: so it need not be read again next time
            os.utime(path, ns=(listed["time"], listed["time"]))
        return True
    except (OSError, KeyError, TypeError):
        return False


def _make(folder: Path, name: str, make: Make) -> None:
    """Make one file and list it, in this order, each safely on the disk."""
    path = folder / name
    make(path)
    with path.open("r+b") as file:
        os.fsync(file.fileno())
    found = path.stat()
    entry = {"size": found.st_size, "time": found.st_mtime_ns, "sha256": _sha256(path)}
    with whole(folder / "manifest.json") as part:
        part.write_text(json.dumps(_manifest(folder) | {name: entry}, indent=1))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _alone(folder: Path, progress: bool) -> Iterator[None]:
    """Only one process makes files in a folder; the lock ends with the process, however it ends."""
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _tell(progress, f"another process is preparing {folder}; waiting for it\n")
        lock.acquire()
    try:
        for left in folder.rglob(".*.part"):
            left.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


def _tell(progress: bool, text: str) -> None:
    if progress:
        print(f"\r{text}", end="", file=sys.stderr, flush=True)
