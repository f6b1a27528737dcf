"""A companion library for the course on machine learning for MR image reconstruction."""

from . import data, losses, metrics, ops, sampling, solve
from .check import check
from .evaluate import evaluate, tune
from .methods import METHODS, Card, Reconstructor, card
from .profiles import profile
from .show import diff, show
from .train import fit

__version__ = "0.1.0"


def build(name: str, **settings: object) -> Reconstructor:
    """The method called `name`, with the paper's settings or those given: `build("modl", iterations=5)`."""
    return card(name).build(**settings)


__all__ = [
    "METHODS",
    "Card",
    "Reconstructor",
    "build",
    "card",
    "check",
    "data",
    "diff",
    "evaluate",
    "fit",
    "losses",
    "metrics",
    "ops",
    "profile",
    "sampling",
    "show",
    "solve",
    "tune",
]
