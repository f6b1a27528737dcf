"""How much machine there is: one profile for data, training time and network size."""

import os
from dataclasses import dataclass

import torch

from .errors import CourseError


@dataclass(frozen=True)
class Profile:
    """Image size and coils of the data, and the seconds a network is trained."""

    name: str
    size: int
    coils: int
    seconds: float


PROFILES = {p.name: p for p in (Profile("ci", 64, 4, 8), Profile("cpu", 128, 8, 140), Profile("gpu", 224, 13, 600))}


def profile(name: str | None = None) -> Profile:
    """The profile called `name`; else what COURSE_PROFILE says; else gpu where there is one, cpu where not."""
    name = name or os.environ.get("COURSE_PROFILE") or ("gpu" if torch.cuda.is_available() else "cpu")
    if name not in PROFILES:
        raise CourseError("no such profile", expected=f"one of {', '.join(PROFILES)}", found=repr(name))
    return PROFILES[name]
