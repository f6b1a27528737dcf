"""`python -m benchmarks.step [METHOD ...]`: what a training step takes, for every network of the leaderboard.

Memory: one step and one slice of validation at the `cpu` profile, each network in a process of its own; what was there
before them (PyTorch, data, weights) is not counted. Time: of a step, and the share of it that is not convolution. The
paper's size sees the same images: it says what the small one saves.
"""

import argparse
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from course_lib.batches import batches
from course_lib.leaderboard import Entry, entries
from course_lib.methods.base import Reconstructor, card
from course_lib.profiles import profile
from course_lib.train import _optimisers, _step, fit

from . import machine
from .report import RESULTS

WHERE = profile("cpu")
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
A_STEP = 1e-9  # seconds: `fit` stops after the first step
STEPS = 5


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step", description=__doc__)
    parser.add_argument("method", nargs="*", metavar="METHOD", help="all networks unless named")
    parser.add_argument("--one", choices=["small", "paper"], help="measure METHOD here, in this process")
    options = parser.parse_args()
    if options.one:
        (entry,) = networks(options.method)
        print(*measured(entry, options.one == "paper"))
        return
    lines = [
        f"# What a training step takes, on {machine.name('cpu')}",
        "",
        "At the `cpu` profile, and with the paper's size on the same images. MB (10^6 bytes): of a step and a",
        "validation slice, above what was there before. Not convolution: the share of a step's time in all other",
        "operations.",
        "Written by `python -m benchmarks.step`.",
        "",
        "| network | parameters | MB | ms | not convolution | the paper's: parameters | MB | ms | not convolution |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for entry in networks(options.method):
        cells = [cell for size in ("small", "paper") for cell in _elsewhere(entry.method, size)]
        lines.append(f"| {entry.method} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    if not options.method:
        (RESULTS / f"step-{machine.name('cpu')}.md").write_text("\n".join(lines) + "\n")


def networks(methods: list[str]) -> Iterator[Entry]:
    """One entry for each network that is trained on a database."""
    found = {entry.method: entry for entry in entries(WHERE, A_STEP, methods, seeds=1) if entry.learns}
    yield from found.values()


def measured(entry: Entry, paper: bool) -> tuple[int, int, float, float]:
    """Parameters, MB that a step and a validation slice add to what the process holds, ms, share not convolution."""
    torch.manual_seed(0)
    model = card(entry.method).build(**(_of_the_task(entry) if paper else entry.built))
    strip, batch = card(entry.method).cut(WHERE.strip, WHERE.batch)
    train = entry.setting.samples("train", WHERE, *entry.setting.accelerations, training=True, strip=strip)
    validation = [entry.setting.samples("val", WHERE, entry.setting.accelerations[0])[0]]
    train[0]
    _start_libraries()
    before = _held("VmRSS")
    RESET.write_text("5")  # forget the highest so far
    batch = 1 if entry.setting.alone else batch
    fit(model, train, validation, A_STEP, batch=batch, checks=0, progress=False)
    megabytes = round((_held("VmHWM") - before) / 1e6)
    optimisers, made = _optimisers(model, 1e-3, 1e-3), batches(train, batch, 0, torch.device("cpu"))
    samples = [next(made) for _ in range(STEPS)]
    seconds = [_seconds(lambda s=s: _step(model, optimisers, s, 0.0)) for s in samples]
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiled:
        _step(model, optimisers, samples[0], 0.0)
    spent = {event.key: event.self_cpu_time_total for event in profiled.key_averages()}
    other = sum(time for name, time in spent.items() if "conv" not in name) / sum(spent.values())
    return _parameters(model), megabytes, 1e3 * statistics.median(seconds), other


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


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
    """What `measured` finds in a fresh process; words where it failed."""
    command = [sys.executable, "-m", "benchmarks.step", method, "--one", size]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return ["", "killed" if done.returncode < 0 else done.stderr.strip().splitlines()[-1][:64], "", ""]
    parameters, megabytes, ms, other = done.stdout.split()[-4:]
    return [f"{int(parameters):,}", megabytes, f"{float(ms):.0f}", f"{float(other):.0%}"]


if __name__ == "__main__":
    main()
