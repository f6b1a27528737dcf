"""What each command does. Every function prints for people and returns what --json prints for programs."""

import importlib.metadata
import os
import shutil
import sys
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
from .train import fit, has_fast_bfloat16

RULES = {"equispaced": equispaced, "random": random}


def doctor() -> dict:
    """Print versions, device, memory and disk, and one line for each problem with its remedy."""
    packages = ("torch", "numpy", "h5py", "sigpy", "matplotlib", "ipywidgets", "jupyterlab")
    versions = {name: _version(name) for name in packages}
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    bfloat16 = has_fast_bfloat16(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    free = shutil.disk_usage(Path.home()).free / 2**30
    problems = [f"{name} is missing: pip install {name}" for name, version in versions.items() if version is None]
    problems += ["less than 2 GiB of disk are free: the data sets need room"] if free < 2 else []
    print(f"python {sys.version.split()[0]}; " + ", ".join(f"{k} {v}" for k, v in versions.items() if v))
    print(f"device {device}; fast bfloat16: {bfloat16}; profile {profile().name}; {free:.0f} GiB of disk free")
    print("\n".join(problems) or "No problem found.")
    return {"versions": versions, "device": device, "profile": profile().name, "problems": problems, "ok": not problems}


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
    training = data.slices("train", protocol(*accelerations), where.name, training=True, strip=where.strip)
    validation = data.slices("val", protocol(accelerations[0]), where.name)
    unfinished = output.with_suffix(".run")
    run = fit(model, training, validation, seconds or where.seconds, save_to=unfinished)
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


def experiments(numbers: list[int], name: str | None, output: Path | None) -> dict:
    """Verdicts on the review's claims, measured now; `output` writes them as a table."""
    from .experiments import report  # only this command needs the experiments

    where, answers = profile(name), []
    for answer in report.answers(numbers, where):
        print(report.lines(answer), flush=True)
        answers.append(answer)
    if output is not None:
        with data.whole(output) as path:
            path.write_text(report.markdown(answers, where.name), "utf-8")
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
    """A method that can be used: classical as it is, learned with weights."""
    if card(method).learns != "database":
        return card(method).build()
    path = path or default_weights(method)
    if not path.exists():
        raise CourseError(f"{method} has no weights", str(path), "no such file", f"python -m course_lib train {method}")
    return weights.load(path, method)


def default_weights(method: str) -> Path:
    """Where `train` leaves weights when nothing else is said."""
    return Path(os.environ.get("COURSE_WEIGHTS", "weights")) / f"{method}.safetensors"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
