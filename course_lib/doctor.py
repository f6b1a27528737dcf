"""What this machine has, and what to do about what it lacks."""

import importlib.metadata
import shutil
import sys
from pathlib import Path

import torch

from .profiles import profile
from .train import has_fast_bfloat16


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


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
