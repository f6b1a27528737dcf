"""What the numbers were measured on, in words that name no host."""

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

PACKAGES = ("torch", "numpy", "sigpy", "bartorch", "mrpro", "finufft", "mri-nufft", "torchkbnufft", "fastmri")
ZEN = {(23, 1): 1, (23, 49): 2, (25, 1): 3, (25, 33): 3, (25, 17): 4, (25, 97): 4, (26, 2): 5}  # family, model


def name(device: str) -> str:
    """For example `2-core-zen4-avx512`, with the GPU's model behind it where one is used."""
    words = [f"{torch.get_num_threads()}-core", _core(), torch.backends.cpu.get_cpu_capability()]
    if device == "cuda":
        words.append(torch.cuda.get_device_name())
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")


def facts(device: str) -> dict:
    """Name, versions and load."""
    return {
        "machine": name(device),
        "system": platform.system(),
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "openmp": {key: value for key, value in os.environ.items() if key.startswith(("OMP_", "GOMP_", "MKL_"))},
        "load_at_start": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "versions": {package: found for package in PACKAGES if (found := _version(package))},
    }


def _core() -> str:
    """The core's design where /proc tells it, else the architecture."""
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    family, model = (re.search(rf"^{key}\s*: (\d+)", text, re.M) for key in ("cpu family", "model"))
    if family and model and "AMD" in text:
        return f"zen{ZEN.get((int(family[1]), int(model[1])), '')}"
    return "intel" if "Intel" in text else platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
