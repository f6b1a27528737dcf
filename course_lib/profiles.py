"""How much machine there is: a profile names the data set's size and the time a network may train."""

import os
from dataclasses import dataclass

import torch

from .errors import CourseError


@dataclass(frozen=True)
class Profile:
    """seconds: what `start`, `train` and the leaderboard spend on a network; a training step sees `batch` strips of
    `strip` rows of an image, or whole images (`Card.cut` says which a method takes).
    """

    name: str
    seconds: float
    strip: int | None
    batch: int


PROFILES = {
    "ci": Profile("ci", 8.0, 32, 1),
    "cpu": Profile("cpu", 140.0, 32, 2),
    "gpu": Profile("gpu", 600.0, None, 2),
}


def profile(name: str | None = None) -> Profile:
    """The profile called `name`; else what COURSE_PROFILE says; else gpu where there is one, cpu where not."""
    name = name or os.environ.get("COURSE_PROFILE") or ("gpu" if torch.cuda.is_available() else "cpu")
    if name not in PROFILES:
        raise CourseError("no such profile", expected=f"one of {', '.join(PROFILES)}", found=repr(name))
    return PROFILES[name]
