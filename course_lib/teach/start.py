"""The first code cell of every chapter: what runs here, and one line for each problem with its remedy."""

import importlib.metadata as metadata
import os
import platform
import sys

import torch

from ..profiles import profile

COURSE = __name__.split(".")[0]
TESTED = {"IPython": ("7.34", "10"), "ipykernel": ("6.17", "8"), "ipywidgets": ("7.7", "9"), "matplotlib": ("3.8", "4")}


def start(chapter: str) -> None:
    """Print device, memory and versions; then each package outside the versions the course is tested with."""
    versions = {name: _version(name) for name in ("torch", "numpy", *TESTED)}
    print(f"{chapter}, course_lib {sys.modules[COURSE].__version__}, profile {profile().name}, {_device()}")
    print(f"Python {platform.python_version()}, " + ", ".join(f"{name} {v}" for name, v in versions.items() if v))
    print("\n".join(problems(versions)) or "No problem found.")


def problems(versions: dict[str, str | None]) -> list[str]:
    """One line for each package that is missing or outside what is tested, with the remedy."""
    found = []
    for name, (oldest, beyond) in TESTED.items():
        version = versions.get(name)
        if version is None:
            found.append(f"{name} is missing; remedy: pip install {name}")
        elif not _order(oldest) <= _order(version) < _order(beyond):
            found.append(
                f"{name} {version} is not tested (expected {oldest} to below {beyond}); remedy, if a figure or slider "
                f"looks wrong: pip install '{name}>={oldest},<{beyond}' and restart the kernel"
            )
    return found


def _device() -> str:
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        return f"{torch.cuda.get_device_name()}, {free / 2**30:.0f} of {total / 2**30:.0f} GiB free"
    return f"CPU with {torch.get_num_threads()} threads{_memory()}"


def _memory() -> str:
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on Windows, and not everywhere else
        return ""
    return f", {free / 2**30:.0f} GiB of memory free"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
