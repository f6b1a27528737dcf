"""How long `import course_lib` takes over `import torch`, each time in a fresh process."""

import subprocess
import sys
from collections.abc import Iterator

from .harness import Goal, Missing, Row, Scale

CODE = """
import time
start = time.perf_counter()
import torch
middle = time.perf_counter()
{statement}
print(middle - start, time.perf_counter() - middle)
"""


def rows(scale: Scale) -> Iterator[Row]:
    peers = ("sigpy", "bartorch", "mrpro", "deepinv", "torchkbnufft")
    yield Row(
        "import over torch",
        lambda: over("import course_lib"),
        {name: (lambda name=name: over(f"import {name}")) for name in peers},
        difference=lambda seconds: 0.0,
        tolerance=0.0,
        limits={"torch itself": lambda: over("", part=0)},
        goals=(Goal("torch itself", 2.3 / 0.3),),
        unit="nothing to compare",
        reading=float,
    )


def over(statement: str, part: int = 1):
    """A run that returns the seconds of one statement (part 1) or of torch (part 0)."""

    def run() -> float:
        done = subprocess.run([sys.executable, "-c", CODE.format(statement=statement)], capture_output=True, text=True)
        if done.returncode:
            raise Missing(done.stderr.strip().splitlines()[-1])
        return float(done.stdout.split()[-2:][part])

    return run
