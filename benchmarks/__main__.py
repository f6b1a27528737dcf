"""`python -m benchmarks [ROW ...] [--quick] [--device cuda]`: measure, print, write benchmarks/results/."""

import argparse
import importlib
from dataclasses import replace

from . import machine, report
from .harness import FULL, QUICK, measure

ROWS = (
    "normal_line",
    "normal_2d",
    "normal_uniform",
    "cg_sense",
    "wavelet",
    "tv",
    "espirit",
    "grappa",
    "nufft",
    "toeplitz",
    "import_time",
    "unet_step",
    "varnet_step",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("row", nargs="*", metavar="ROW", help=f"all of {', '.join(ROWS)} unless named")
    parser.add_argument("--quick", action="store_true", help="small problems, nothing is written")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    options = parser.parse_args()
    if unknown := set(options.row) - set(ROWS):
        parser.error(f"no such row: {', '.join(sorted(unknown))} (one of {', '.join(ROWS)})")
    scale = replace(QUICK if options.quick else FULL, device=options.device)
    facts, results = machine.facts(options.device), []
    for name in options.row or ROWS:
        for row in importlib.import_module(f"benchmarks.{name}").rows(scale):
            results.append(measure(row, scale))
            print("\n".join(report.section(results[-1])), flush=True)
    if not options.quick:
        print(f"\nwritten: {report.write(facts, results)}")


if __name__ == "__main__":
    main()
