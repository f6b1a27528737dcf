"""Weights on disk: safetensors files, which hold numbers and a few words, never code."""

import json
import os
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from .errors import CourseError
from .methods.base import Reconstructor, card

BUNDLED = Path(__file__).parent.parent / "results"  # what the leaderboard left, and came with the course


def save(model: Reconstructor, path: str | Path, name: str, settings: dict, facts: dict) -> Path:
    """Write the weights of method `name`, built with `settings`; `facts` (profile, seconds) go into the header too.

    The file appears at once and whole: it is written under a temporary name and renamed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    words = {key: json.dumps(value) for key, value in ({"method": name, "settings": settings} | facts).items()}
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        save_file({k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}, partial, metadata=words)
        os.replace(partial, path)
    except OSError as error:
        raise CourseError(f"{path} could not be written ({error.strerror})", remedy="free some space") from error
    finally:
        partial.unlink(missing_ok=True)
    return path


def facts(path: str | Path) -> dict:
    """What the header of a weights file says: method, settings and how it was trained."""
    with _opened(path) as file:
        return {key: json.loads(value) for key, value in (file.metadata() or {}).items()}


def load(path: str | Path, name: str | None = None) -> Reconstructor:
    """Build the method that the file names, with its settings, and put the weights in.

    With `name` the file must hold that method. Raises `CourseError` for a damaged file or weights that do not fit.
    """
    found = facts(path)
    if "method" not in found or "settings" not in found:
        raise CourseError(f"{path} is not a weights file of this course", expected="a header with method and settings")
    if name is not None and found["method"] != name:
        raise CourseError(f"{path} holds another method", expected=name, found=found["method"])
    model = card(found["method"]).build(**found["settings"])
    with _opened(path) as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}
    wanted, there = ({k: tuple(v.shape) for k, v in d.items()} for d in (model.state_dict(), tensors))
    if wanted != there:
        odd = sorted(set(wanted.items()) ^ set(there.items()))[0][0]
        raise CourseError(f"{path}: {odd} does not fit", f"{wanted.get(odd)}", f"{there.get(odd)}", "train again")
    model.load_state_dict(tensors)
    return model


def bundled(name: str) -> Path | None:
    """The weights of a method that came with the course, of the largest profile there are some of; None without any."""
    found = (BUNDLED / f"weights_{profile}" / f"{name}_random_0.safetensors" for profile in ("gpu", "cpu"))
    return next((path for path in found if path.exists()), None)


def _opened(path: str | Path):
    try:
        return safe_open(path, "pt")
    except (SafetensorError, OSError) as error:
        remedy = "train again: python -m course_lib train"
        raise CourseError(f"{path} cannot be read as weights", "a safetensors file", str(error), remedy) from error
