"""Compressed sensing: not the time of an iteration counts, but the time to an image as good as the converged one.

The bar is an NRMSE (to the true image) that both we and the best peer reach: 1.02 times the worse of our value and
the lowest value of a peer, each after `scale.reach` iterations. Each contender is timed with the smallest number of
iterations that reaches the bar; one that never does has an empty cell. Solvers with random shifts differ from run to
run, hence 1 % of slack when the result is compared.
"""

from collections.abc import Callable, Mapping

from torch import Tensor

from .compare import relative
from .harness import OURS, Goal, Missing, Prepare, Row, Run, Scale

Solve = Callable[[int], object]  # iterations -> image
WITHIN, SLACK = 1.02, 1.01


def row(title: str, solvers: Mapping[str, Callable[[], Solve]], truth: Tensor, scale: Scale, goal: float) -> Row:
    """`solvers`: name -> prepare() -> solve(iterations); ours among them."""
    quality = relative(truth)
    ready = {name: _converged(prepare, quality, scale) for name, prepare in solvers.items()}
    ends = {name: found for name, (_, found) in ready.items() if isinstance(found, float)}
    bar = WITHIN * max(ends[OURS], min((found for name, found in ends.items() if name != OURS), default=0.0))
    runs = {name: _reaching(*pair, bar, quality, scale) for name, pair in ready.items()}
    words = ", ".join(f"{name} {found:.4f}" for name, found in ends.items())
    note = f"Time to NRMSE {bar:.4f}; after {scale.reach} iterations: {words}"
    ours = runs.pop(OURS)
    return Row(title, ours, runs, quality, SLACK * bar, goals=(Goal("best peer", goal),), unit="NRMSE", note=note)


def _converged(prepare: Callable[[], Solve], quality: Callable, scale: Scale) -> tuple[Solve | None, float | str]:
    try:
        solve = prepare()
    except (ImportError, Missing) as error:
        return None, str(error)
    return solve, quality(solve(scale.reach))


def _reaching(solve: Solve | None, found: float | str, bar: float, quality: Callable, scale: Scale) -> Prepare:
    def prepare() -> Run:
        if solve is None:
            raise Missing(str(found))
        never = Missing(f"{found:.4f} after {scale.reach} iterations, above the bar")
        if found > bar:
            raise never
        iterations = _smallest(lambda n: quality(solve(n)) <= bar, scale.reach)
        if iterations is None:
            raise never
        return lambda: solve(iterations)

    return prepare


def _smallest(good: Callable[[int], bool], most: int) -> int | None:
    """The smallest n <= most with good(n), if good stays good: double, then halve the gap down to 5 %."""
    high = 4
    while not good(high):
        high *= 2
        if high > most:
            return None
    low = high // 2
    while high - low > max(1, high // 20):
        middle = (low + high) // 2
        low, high = (low, middle) if good(middle) else (middle, high)
    return high
