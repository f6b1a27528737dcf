"""The tasks of the leaderboard: what is sampled, and who takes part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .. import data
from ..methods.base import METHODS, Card
from ..profiles import Profile
from ..sampling import Draw, protocol, uniform
from ..sampling.lines import Seed

ACCELERATIONS = (4, 8)
EVERYWHERE = ("zero_filled", "sense_cg", "cs_tv")  # what methods are measured against
SEVERAL_SEEDS = ("wang_cnn", "unet", "residual_unet", "dc_cnn", "modl", "kiki_net", "w_net")
SMALL = (32, 32)  # of methods that are built for one size, whose weights grow with its square


@dataclass(frozen=True)
class Setting:
    """`mask(R)` draws the samples, `mask(4, 8)` those of either; `methods` compete on them."""

    name: str
    words: str
    mask: Callable[..., Draw]
    methods: tuple[str, ...]
    size: tuple[int, int] | None = None  # so much of the centre of k-space, in place of all

    def slices(
        self, split: str, where: Profile, *accelerations: int, training: bool = False, strip: int | None = None
    ) -> Sequence[data.Sample]:
        """The slices of a split."""
        draw = self.mask(*accelerations)
        return data.slices(split, draw, where.name, training=training, size=self.size, strip=strip)


def settings() -> dict[str, Setting]:
    """The tasks by name; a card says in which its method competes. What methods are measured against is in each."""
    tasks = (
        Setting("random", "random lines and fastMRI's share of central ones", protocol, _those(_any_scan)),
        Setting("regular", "every R-th line and a fifth of the width around the centre", regular, _those(_needs_lines)),
        Setting("small", "random lines at 32 x 32", protocol, _those(_needs_a_size), SMALL),
    )
    return {task.name: task for task in tasks}


def regular(*accelerations: int) -> Draw:
    """Every R-th line, and 5/24 of the width around the centre: at 128 lines what GRAPPA's kernel spans at R = 8."""
    return lambda width, seed: uniform(width, accelerations[_number(seed) % len(accelerations)], 5 * width // 24)


def _those(compete: Callable[[Card], bool]) -> tuple[str, ...]:
    return tuple(name for name, card in METHODS.items() if name in EVERYWHERE or compete(card))


def _needs_lines(card: Card) -> bool:
    return card.sampling is not None


def _needs_a_size(card: Card) -> bool:
    return "size" in card.small


def _any_scan(card: Card) -> bool:
    return not _needs_lines(card) and not _needs_a_size(card)


def _number(seed: Seed) -> int:
    return seed if isinstance(seed, int) else sum(seed)
