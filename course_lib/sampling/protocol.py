"""The fastMRI protocol: which centre goes with which acceleration."""

from collections.abc import Callable

from .lines import Lines, Seed, random

Draw = Callable[[int, Seed], Lines]  # (width, seed) -> mask
CENTRE = 0.32  # centre fraction times acceleration: 0.08 at 4, 0.04 at 8 (Zbontar et al., arXiv 1811.08839)


def protocol(*accelerations: float, rule: Callable[..., Lines] = random) -> Draw:
    """A function (width, seed) -> mask with fastMRI's centre for the acceleration; of several, the seed picks one."""

    def draw(width: int, seed: Seed) -> Lines:
        number = seed if isinstance(seed, int) else sum(seed)
        acceleration = accelerations[number % len(accelerations)]
        return rule(width, acceleration, CENTRE / acceleration, seed)

    return draw
