"""The command line: python -m course_lib COMMAND.

start | doctor | prepare | train | evaluate | leaderboard | check | experiments | show | reconstruct.
"""

import argparse
import json
import sys
from pathlib import Path

from . import commands
from .doctor import doctor
from .errors import CourseError
from .profiles import profile
from .start import start

Commands = argparse._SubParsersAction


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m course_lib", description=__doc__)
    sub = top.add_subparsers(required=True, metavar="COMMAND")
    learning = _train, _evaluate, _leaderboard, _experiments
    for add_command in (_start, _doctor, _prepare, *learning, _check, _show, _reconstruct):
        add_command(sub)
    for command in sub.choices.values():
        command.add_argument("--profile", help="ci, cpu or gpu; COURSE_PROFILE or the machine decides when not given")
        command.add_argument("--json", action="store_true", help="a last line for programs")
    return top


def _start(sub: Commands) -> None:
    add = sub.add_parser("start", help="train a network, reconstruct a real scan, print the table")
    add.set_defaults(run=lambda a: start(profile(a.profile), a.seconds))
    add.add_argument("--seconds", type=float, help="training time; the profile's when not given")


def _doctor(sub: Commands) -> None:
    add = sub.add_parser("doctor", help="what this machine has, and what to do about what it lacks")
    add.set_defaults(run=lambda a: doctor())


def _prepare(sub: Commands) -> None:
    add = sub.add_parser("prepare", help="make or check the data set, or cut a subset from fastMRI's files")
    add.set_defaults(run=_prepare_either)
    add.add_argument("source", nargs="?", choices=["embedded", "fastmri"], default="embedded")
    add.add_argument("--src", type=Path, help="fastmri: folder with the downloaded splits")
    add.add_argument("--out", type=Path, help="where to write")
    add.add_argument("--volumes", type=int, default=10, help="fastmri: volumes a split")
    add.add_argument("--slices", type=int, help="fastmri: central slices a volume; all when not given")


def _prepare_either(a: argparse.Namespace) -> dict:
    if a.source == "embedded":
        return commands.prepare(a.profile, a.out)
    if a.src is None or a.out is None:
        raise CourseError("prepare fastmri needs two folders", remedy="--src DIR --out DIR")
    return commands.prepare_fastmri(a.src, a.out, a.volumes, a.slices)


def _train(sub: Commands) -> None:
    add = sub.add_parser("train", help="train a method and save its weights")
    add.set_defaults(run=lambda a: commands.train(a.method, a.profile, a.acceleration, a.seconds, a.output))
    add.add_argument("method")
    add.add_argument("--seconds", type=float, help="training time; the profile's when not given")
    add.add_argument("-o", "--output", type=Path, help="weights file; weights/METHOD.safetensors when not given")
    add.add_argument("--acceleration", type=int, nargs="+", default=[4, 8])


def _evaluate(sub: Commands) -> None:
    add = sub.add_parser("evaluate", help="metrics of a method on unseen subjects and on the real scan")
    add.set_defaults(run=lambda a: commands.evaluate_method(a.method, a.profile, a.acceleration, a.weights))
    add.add_argument("method")
    add.add_argument("--weights", type=Path)
    add.add_argument("--acceleration", type=int, default=4)


def _leaderboard(sub: Commands) -> None:
    add = sub.add_parser("leaderboard", help="train, tune and rank every method; goes on where it was stopped")
    add.set_defaults(run=lambda a: commands.leaderboard(a.method, a.profile, a.seconds, a.seeds, a.output))
    add.add_argument("method", nargs="*", help="rows to fill; all when not given")
    add.add_argument("--seconds", type=float, help="training time of a network; the profile's when not given")
    add.add_argument("--seeds", type=int, default=3, help="training seeds of the networks whose spread is shown")
    add.add_argument("-o", "--output", type=Path, default=Path("results"), help="folder for board and weights")


def _check(sub: Commands) -> None:
    add = sub.add_parser("check", help="contract and claims of one method, or of all")
    add.set_defaults(run=lambda a: commands.check_methods(a.method))
    add.add_argument("method", nargs="?")


def _experiments(sub: Commands) -> None:
    add = sub.add_parser("experiments", help="the review's claims: measure, and give a verdict on each")
    add.set_defaults(run=lambda a: commands.experiments(a.number, a.profile, a.output, a.missing))
    add.add_argument("number", type=int, nargs="*", help="claims to test; all when not given")
    add.add_argument("-o", "--output", type=Path, help="a Markdown table: each verdict takes its place")
    add.add_argument("--missing", action="store_true", help="only claims that the table lacks")


def _show(sub: Commands) -> None:
    add = sub.add_parser("show", help="equation, card, source and claims of a method")
    add.set_defaults(run=lambda a: commands.show_method(a.method))
    add.add_argument("method")


def _reconstruct(sub: Commands) -> None:
    add = sub.add_parser("reconstruct", help="reconstruct a fastMRI-format file")
    add.set_defaults(
        run=lambda a: commands.reconstruct_file(a.method, a.input, a.output, a.mask, a.acceleration, a.weights)
    )
    add.add_argument("method")
    add.add_argument("input", type=Path)
    add.add_argument("-o", "--output", type=Path, required=True)
    add.add_argument("--weights", type=Path)
    add.add_argument("--mask", choices=list(commands.RULES), help="undersample a fully sampled file")
    add.add_argument("--acceleration", type=int, default=4)


def main(arguments: list[str] | None = None) -> int:
    a = parser().parse_args(arguments)
    try:
        answer = a.run(a)
    except CourseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("error: interrupted; nothing half-written is left", file=sys.stderr)
        return 130
    if a.json:
        print(json.dumps(answer))
    return 0 if answer.get("ok", True) else 1


if __name__ == "__main__":
    sys.exit(main())
