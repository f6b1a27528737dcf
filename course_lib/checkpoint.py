"""A training run on disk, as numbers only: model, best model and optimisers in one safetensors file."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from .errors import CourseError


def save(
    path: Path, model: nn.Module, best: dict[str, Tensor], optimisers: Mapping[str, Optimizer], facts: dict
) -> None:
    """Write the run under a temporary name and rename it, so that a kill leaves the last whole checkpoint."""
    tensors = {f"model/{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"best/{k}": v for k, v in best.items()}
    for name, optimiser in optimisers.items():
        for index, state in optimiser.state_dict()["state"].items():
            tensors |= {f"{name}/{index}/{k}": v for k, v in state.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        whole = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        save_file(whole, partial, metadata={"run": json.dumps(facts)})
        os.replace(partial, path)
    except OSError as error:
        raise CourseError(f"{path} could not be written ({error.strerror})", remedy="free some space") from error
    finally:
        partial.unlink(missing_ok=True)


def load(path: Path, model: nn.Module, optimisers: Mapping[str, Optimizer]) -> tuple[dict[str, Tensor], dict]:
    """Put the saved run into model and optimisers; returns the best weights so far and the facts of the run."""
    try:
        with safe_open(path, "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}
            facts = json.loads(file.metadata()["run"])
        model.load_state_dict(_under("model/", tensors))
    except (SafetensorError, OSError, RuntimeError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise CourseError(f"{path} cannot be resumed", "a run of the same model", reason, "delete it") from error
    for name, optimiser in optimisers.items():
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in _under(f"{name}/", tensors).items():
            index, what = key.split("/")
            state.setdefault(int(index), {})[what] = value
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
    return _under("best/", tensors), facts


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
