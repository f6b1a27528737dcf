"""The exercises of every chapter, as functions that judge a solution: `check.ch01_move(move)`. One module a chapter."""

from importlib import import_module
from pkgutil import iter_modules

from ..exercise import Exercise

EXERCISES: dict[str, Exercise] = {
    name: exercise
    for module in iter_modules(__path__)
    for name, exercise in vars(import_module(f"{__name__}.{module.name}")).items()
    if isinstance(exercise, Exercise)
}
globals().update(EXERCISES)
