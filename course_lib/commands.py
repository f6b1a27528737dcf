"""What each command does. Every function prints for people and returns what --json prints for programs."""

import os
from pathlib import Path

import torch

from . import data, weights
from .check import check
from .errors import CourseError
from .evaluate import evaluate
from .methods import METHODS, Reconstructor, card
from .profiles import profile
from .reconstruct import reconstruct
from .sampling import equispaced, protocol, random
from .scores import table
from .show import show
from .train import fit

RULES = {"equispaced": equispaced, "random": random}


def prepare(name: str | None, out: Path | None) -> dict:
    """Make or check the embedded data set."""
    where = data.prepare(profile(name).name, out, thorough=True)
    print(f"Data are in {where}")
    return {"root": str(where)}


def prepare_fastmri(src: Path, out: Path, volumes: int, slices: int | None) -> dict:
    """Cut a subset from fastMRI's files."""
    data.subset(src, out, volumes, slices)
    print(f"Data are in {out}; use them with COURSE_DATA={out}")
    return {"root": str(out)}


def train(method: str, name: str | None, accelerations: list[int], seconds: float | None, output: Path | None) -> dict:
    """Train with the small settings (the paper's on a GPU), save weights, and the run beside them."""
    where, c = profile(name), card(method)
    if c.learns != "database":
        raise CourseError(f"{method} does not learn from a database", remedy="use it as it is: evaluate, reconstruct")
    output = output or default_weights(method)
    settings = {} if where.name == "gpu" else c.small
    model = c.build(**settings).to("cuda" if torch.cuda.is_available() else "cpu")
    strip, batch = c.cut(where.strip, where.batch)
    training = data.slices("train", protocol(*accelerations), where.name, training=True, strip=strip)
    validation = data.slices("val", protocol(accelerations[0]), where.name)
    unfinished = output.with_suffix(".run")
    run = fit(model, training, validation, seconds or where.seconds, batch=batch, save_to=unfinished)
    psnr = max(p for _, p in run.validation)
    weights.save(
        model, output, method, settings, {"profile": where.name, "seconds": run.seconds, "validation_psnr": psnr}
    )
    unfinished.unlink(missing_ok=True)
    print(f"{run.steps} steps in {run.seconds:.0f} s, best validation PSNR {psnr:.2f} dB, weights in {output}")
    return {"weights": str(output), "steps": run.steps, "validation_psnr": psnr}


def evaluate_method(method: str, name: str | None, acceleration: int, path: Path | None) -> dict:
    """Metrics on the test subject and on the real scan."""
    model, where = ready(method, path), profile(name)
    rows = {}
    for split in data.splits(where.name, ("test", "real")):
        rows[split] = evaluate(model, data.slices(split, protocol(acceleration), where.name))
    print(f"{method}, R = {acceleration}")
    print(table(rows))
    return {split: {m: scores.mean(m) for m in scores.values} for split, scores in rows.items()}


def check_methods(method: str | None) -> dict:
    """Contract and claims, a line each."""
    results = [r for name in ([method] if method else METHODS) for r in check(name)]
    print("\n".join(map(str, results)))
    return {"results": [vars(r) for r in results], "ok": all(r.holds for r in results)}


def leaderboard(methods: list[str], name: str | None, seconds: float | None, seeds: int, folder: Path) -> dict:
    """Fill what is missing or stale on the board; write it as JSON, Markdown and a figure for each task."""
    from . import leaderboard as boards  # only this command needs the board, and what draws it
    from .teach.board import board as draw

    where = profile(name)
    file = folder / f"leaderboard_{where.name}.json"
    wanted = list(boards.entries(where, seconds or where.seconds, methods, seeds))
    rows = boards.fill(file, wanted)
    everything = list(boards.entries(where, seconds or where.seconds, seeds=seeds))
    text = boards.markdown(rows, everything)
    with data.whole(file.with_suffix(".md")) as path:
        path.write_text(text, "utf-8")
    for (setting, R), lines in boards.tasks(rows, everything).items():
        with data.whole(folder / f"leaderboard_{where.name}_{setting}_{R}.png") as path:
            path.write_bytes(draw(lines, f"R = {R}: {boards.settings()[setting].words}").png())
    print(text)
    return {"board": str(file), "rows": rows, "stale": len(boards.stale(rows, everything))}


def experiments(numbers: list[int], name: str | None, output: Path | None, missing: bool) -> dict:
    """Verdicts on the review's claims, measured now and kept in a table, `output`; or those alone that it lacks."""
    from .experiments import EXPERIMENTS, report  # only this command needs the experiments

    where, answers = profile(name), []
    done = report.kept(output) if output and missing else set()
    for answer in report.answers([n for n in numbers or sorted(EXPERIMENTS) if n not in done], where):
        print(report.lines(answer), flush=True)
        answers.append(answer)
        if output is not None:
            report.keep(answer, where.name, output)
    return {"profile": where.name, "verdicts": [a.facts() for a in answers]}


def show_method(method: str) -> dict:
    """Equation, card, source and claims."""
    text = show(method)
    print(text)
    return {"text": text}


def reconstruct_file(
    method: str, source: Path, output: Path, rule: str | None, acceleration: int, path: Path | None
) -> dict:
    """Reconstruct every slice of a fastMRI-format file and write fastMRI's submission format."""
    mask = protocol(acceleration, rule=RULES[rule]) if rule else None
    shape = reconstruct(ready(method, path), source, output, mask)
    print(f"{output}: reconstruction (slice, height, width) = {shape}")
    return {"output": str(output), "shape": shape}


def ready(method: str, path: Path | None) -> Reconstructor:
    """A method that can be used: classical as it is, learned with your weights or those that came with the course."""
    if card(method).learns != "database":
        return card(method).build()
    own = default_weights(method)
    path = path or (own if own.exists() else weights.bundled(method) or own)
    if not path.exists():
        raise CourseError(f"{method} has no weights", str(path), "no such file", f"python -m course_lib train {method}")
    return weights.load(path, method)


def default_weights(method: str) -> Path:
    """Where `train` leaves weights when nothing else is said."""
    return Path(os.environ.get("COURSE_WEIGHTS", "weights")) / f"{method}.safetensors"
