"""The tasks of the leaderboard: what is sampled, and who takes part."""

from collections.abc import Callable
from dataclasses import dataclass

from ..methods.base import METHODS
from ..sampling import Draw, protocol, uniform
from ..sampling.lines import Seed

ACCELERATIONS = (4, 8)
EVERYWHERE = ("zero_filled", "sense_cg", "cs_tv")  # what methods are measured against
SEVERAL_SEEDS = ("wang_cnn", "unet", "residual_unet", "dc_cnn", "modl", "kiki_net", "w_net")


@dataclass(frozen=True)
class Setting:
    """`mask(R)` draws the samples, `mask(4, 8)` those of either; `methods` compete on them."""

    name: str
    words: str
    mask: Callable[..., Draw]
    methods: tuple[str, ...]


def regular(*accelerations: int) -> Draw:
    """Every R-th line, and 5/24 of the width around the centre: at 128 lines what GRAPPA's kernel spans at R = 8."""
    return lambda width, seed: uniform(width, accelerations[_number(seed) % len(accelerations)], 5 * width // 24)


def settings() -> dict[str, Setting]:
    """The tasks by name. A method whose card asks for regular lines competes on those, every other on random ones."""
    needs_lines = tuple(name for name, card in METHODS.items() if card.sampling is not None)
    takes_any = tuple(name for name in METHODS if name not in needs_lines)
    tasks = (
        Setting("random", "random lines and fastMRI's share of central ones", protocol, takes_any),
        Setting(
            "regular", "every R-th line and a fifth of the width around the centre", regular, EVERYWHERE + needs_lines
        ),
    )
    return {task.name: task for task in tasks}


def _number(seed: Seed) -> int:
    return seed if isinstance(seed, int) else sum(seed)
