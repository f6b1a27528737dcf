"""One row: train or tune the method, then measure it on the unseen subject and on the real scan."""

import math
from pathlib import Path

import torch

from .. import data, weights
from ..data.cine import RadialFilm
from ..errors import CourseError
from ..evaluate import evaluate, tuned
from ..methods.base import Reconstructor, card
from ..sampling import effective_acceleration
from ..train import fit
from .entry import Entry

TUNING = 6  # validation slices on which a knob is tuned


def measure(entry: Entry, folder: Path) -> dict:
    """The facts of an entry with every slice's metrics, or the reason why there are none; `folder` keeps weights."""
    try:
        return entry.key | _facts(entry, folder) | {"fingerprint": entry.now}
    except CourseError as error:
        return entry.key | {"reason": str(error), "fingerprint": entry.now}


def _facts(entry: Entry, folder: Path) -> dict:
    model, facts = _network(entry, folder) if entry.learns else _tuned(entry)
    facts |= {"learns": card(entry.method).learns, "profile": entry.where.name, "allowed_seconds": entry.seconds}
    facts |= {"parameters": sum(p.numel() for p in model.own()), "device": device_name()}
    for split in ("test", "real"):
        samples = entry.setting.samples(split, entry.where, entry.acceleration)
        if not len(samples):
            continue
        scores = evaluate(model, samples)
        facts.setdefault("effective", sum(map(effective, samples)) / len(samples))
        facts[split] = {metric: values.tolist() for metric, values in scores.values.items()}
        facts[split]["seconds"] = scores.seconds
    return facts


def _network(entry: Entry, folder: Path) -> tuple[Reconstructor, dict]:
    """The trained network: loaded when its weights are fresh, else trained, from where it was stopped."""
    file = folder / f"{entry.method}_{entry.setting.name}_{entry.seed}.safetensors"
    if not file.exists() or weights.facts(file).get("fingerprint") != entry.training:
        _train(entry, file)
    facts = weights.facts(file)
    model = weights.load(file, entry.method).to("cuda" if torch.cuda.is_available() else "cpu")
    return model, {key: facts[key] for key in ("training_seconds", "steps", "validation_psnr")}


def _train(entry: Entry, file: Path) -> None:
    torch.manual_seed(entry.seed)
    method, where = card(entry.method), entry.where
    model = method.build(**entry.built).to("cuda" if torch.cuda.is_available() else "cpu")
    strip, batch = method.cut(where.strip, where.batch)
    training = entry.setting.samples("train", where, *entry.setting.accelerations, training=True, strip=strip)
    unfinished = file.with_name(f"{file.stem}_{entry.training}.run")
    run = fit(
        model,
        training,
        _some("val", entry),
        entry.seconds,
        batch=1 if entry.setting.alone else batch,
        seed=entry.seed,
        save_to=unfinished,
        progress=False,
    )
    facts = {"fingerprint": entry.training, "profile": where.name, "seed": entry.seed, "device": device_name()}
    facts |= {"training_seconds": run.seconds, "steps": run.steps, "validation_psnr": max(p for _, p in run.validation)}
    weights.save(model, file, entry.method, entry.built, facts)
    unfinished.unlink(missing_ok=True)


def _tuned(entry: Entry) -> tuple[Reconstructor, dict]:
    method = card(entry.method)
    model = tuned(method, _some("val", entry))
    return model, {"knob": {method.knob[0]: getattr(model, method.knob[0])} if method.knob else {}}


def _some(split: str, entry: Entry) -> list[data.Sample]:
    """TUNING slices of a split, evenly chosen."""
    samples = entry.setting.samples(split, entry.where, entry.acceleration)
    return [samples[i] for i in torch.linspace(0, len(samples) - 1, min(TUNING, len(samples))).long().tolist()]


def effective(sample: data.Sample) -> float:
    """How many times fewer samples than Nyquist asks for: lines of a grid, or spokes."""
    if isinstance(sample, RadialFilm):
        return math.pi / 2 * sample.image.shape[-1] / sample.kspace.shape[-2]
    return effective_acceleration(sample.mask)


def device_name() -> str:
    """The processor that computes, and its threads."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"CPU, {torch.get_num_threads()} of its threads"
