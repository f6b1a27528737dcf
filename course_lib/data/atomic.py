"""Files appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import CourseError


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; it becomes `path` in one step when the block ends without an error.

    Whatever goes wrong (a full disk, Ctrl-C, bad data), an older file at `path` stays as it was and no half of a new
    one is left. Names of temporary files start with a dot and end in `.part`, so no loader takes them for data.
    Raises CourseError when the disk is full or the folder cannot be written.
    """
    path = Path(path)
    part = path.parent / f".{path.name}.{os.getpid()}.part"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except OSError as error:
        remedy = "free disk space, or choose a folder that you may write to"
        raise CourseError(f"{path} could not be written", found=one_line(error), remedy=remedy) from error
    finally:
        part.unlink(missing_ok=True)


def one_line(error: Exception) -> str:
    """The message of an error without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__
