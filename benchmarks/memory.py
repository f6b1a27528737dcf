"""`python -m benchmarks.memory [METHOD ...]`: memory that training takes, for every network of the leaderboard.

One step and one slice of validation at the `cpu` profile, each network in a process of its own; what was there before
them (PyTorch, data, weights) is not counted. The paper's size sees the same images: it says what the small one saves.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from course_lib.leaderboard import Entry, entries
from course_lib.methods.base import Reconstructor, card
from course_lib.profiles import profile
from course_lib.train import fit

from . import machine
from .report import RESULTS

WHERE = profile("cpu")
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
A_STEP = 1e-9  # seconds: `fit` stops after the first step


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("method", nargs="*", metavar="METHOD", help="all networks unless named")
    parser.add_argument("--one", choices=["small", "paper"], help="measure METHOD here, in this process")
    options = parser.parse_args()
    if options.one:
        (entry,) = networks(options.method)
        print(*measured(entry, options.one == "paper"))
        return
    lines = [
        f"# Memory that training takes, on {machine.name('cpu')}",
        "",
        "MB above what was there before: one step and one validation slice at the `cpu` profile, and the same with",
        "the paper's size on the same images. Written by `python -m benchmarks.memory`.",
        "",
        "| network | parameters | MB | parameters, paper | MB, paper |",
        "|---|---:|---:|---:|---:|",
    ]
    for entry in networks(options.method):
        cells = [cell for size in ("small", "paper") for cell in _elsewhere(entry.method, size)]
        lines.append(f"| {entry.method} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    if not options.method:
        (RESULTS / f"memory-{machine.name('cpu')}.md").write_text("\n".join(lines) + "\n")


def networks(methods: list[str]) -> Iterator[Entry]:
    """One entry for each network that is trained on a database."""
    found = {entry.method: entry for entry in entries(WHERE, A_STEP, methods, seeds=1) if entry.learns}
    yield from found.values()


def measured(entry: Entry, paper: bool) -> tuple[int, int]:
    """Parameters, and MB (10^6 bytes) that a step and a validation slice add to what the process holds."""
    torch.manual_seed(0)
    model = card(entry.method).build(**(_of_the_task(entry) if paper else entry.built))
    strip, batch = card(entry.method).cut(WHERE.strip, WHERE.batch)
    train = entry.setting.samples("train", WHERE, *entry.setting.accelerations, training=True, strip=strip)
    validation = [entry.setting.samples("val", WHERE, entry.setting.accelerations[0])[0]]
    train[0]
    _start_libraries()
    before = _held("VmRSS")
    RESET.write_text("5")  # forget the highest so far
    fit(model, train, validation, A_STEP, batch=1 if entry.setting.alone else batch, checks=0, progress=False)
    return _parameters(model), round((_held("VmHWM") - before) / 1e6)


def _start_libraries() -> None:
    """What convolutions, transforms and solvers keep from their first use on."""
    with torch.autocast("cpu", torch.bfloat16):
        torch.nn.Conv2d(2, 8, 3)(torch.ones(1, 2, 32, 32)).sum().backward()
    torch.linalg.inv(torch.fft.fft2(torch.eye(32, dtype=torch.complex64)))


def _of_the_task(entry: Entry) -> dict:
    """What even the paper's size must know: how large images are, how many coils there may be."""
    return {name: value for name, value in entry.built.items() if name in ("size", "coils")}


def _parameters(model: Reconstructor) -> int:
    return sum(p.numel() for p in model.own())


def _held(name: str) -> int:
    """Bytes of this process: VmRSS holds now, VmHWM at most so far."""
    found = re.search(rf"{name}:\s*(\d+) kB", STATUS.read_text())
    assert found, f"no {name} in {STATUS}"
    return int(found[1]) * 1024


def _elsewhere(method: str, size: str) -> list[str]:
    """Parameters and MB, measured in a fresh process; words where it failed."""
    command = [sys.executable, "-m", "benchmarks.memory", method, "--one", size]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return ["", "killed" if done.returncode < 0 else done.stderr.strip().splitlines()[-1]]
    parameters, megabytes = done.stdout.split()[-2:]
    return [f"{int(parameters):,}", megabytes]


if __name__ == "__main__":
    main()
