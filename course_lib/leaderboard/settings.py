"""The tasks of the leaderboard: what is sampled, and who takes part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..data.sample import Sample
from ..methods.base import METHODS, Card
from ..profiles import Profile
from ..sampling import Draw, acs, centre, protocol, uniform
from ..sampling.lines import Seed
from .sources import Source, hearts, static, vessels

ACCELERATIONS = (4, 8)
EVERYWHERE = ("zero_filled", "sense_cg", "cs_tv")  # what methods are measured against
SEVERAL_SEEDS = ("wang_cnn", "unet", "residual_unet", "dc_cnn", "modl", "kiki_net")
SMALL = (32, 32)  # of methods that are built for one size, whose weights grow with its square


@dataclass(frozen=True)
class Setting:
    """`methods` compete on the samples of `source` at each of the accelerations.

    size: of the images, where it is not the data set's. alone: its samples cannot be joined to batches.
    """

    name: str
    words: str
    source: Source
    methods: tuple[str, ...]
    size: tuple[int, int] | None = None
    accelerations: tuple[int, ...] = ACCELERATIONS
    alone: bool = False

    def samples(
        self, split: str, where: Profile, *accelerations: int, training: bool = False, strip: int | None = None
    ) -> Sequence[Sample]:
        """The samples of a split at one or several accelerations; none if the task has no such split."""
        return self.source(split, where, accelerations, training, strip)


def settings() -> dict[str, Setting]:
    """The tasks by name; a card says in which its method competes. What methods are measured against is in each."""
    tasks = (
        Setting("random", "random lines and fastMRI's share of central ones", static(protocol), _those(_any_slice)),
        Setting("regular", "every R-th line, a fifth of the width around the centre", static(regular), _those(_lines)),
        Setting(
            "centre", "low resolution: the central 1/R of the lines", static(low), _those(_low), accelerations=(2, 4)
        ),
        Setting("small", "random lines at 32 x 32", static(protocol, SMALL), _those(_one_size), SMALL),
        Setting("heart", "films of a beating heart along spokes", hearts, _those(_film), alone=True),
        Setting("flow", "films of flow in two encodings, random lines in each frame", vessels, _those(_encodings)),
    )
    return {task.name: task for task in tasks}


def regular(*accelerations: int) -> Draw:
    """Every R-th line, and 5/24 of the width around the centre: at 128 lines what GRAPPA's kernel spans at R = 8."""
    return lambda width, seed: uniform(width, accelerations[_number(seed) % len(accelerations)], 5 * width // 24)


def low(*factors: int) -> Draw:
    """The central 1/R of the lines: a scan of low resolution, without aliasing."""
    return lambda width, seed: centre(width, factors[_number(seed) % len(factors)])


def _those(compete: Callable[[Card], bool]) -> tuple[str, ...]:
    return tuple(name for name, card in METHODS.items() if name in EVERYWHERE or compete(card))


def _lines(card: Card) -> bool:
    return card.sampling is not None and not _low(card)


def _low(card: Card) -> bool:
    """Whether the lines that it asks to be tried with have no gap: then it is made for low resolution."""
    if card.sampling is None:
        return False
    lines = card.sampling(48, 0)
    start, stop = acs(lines)
    return stop - start == int(lines.sum())


def _one_size(card: Card) -> bool:
    return "size" in card.small


def _film(card: Card) -> bool:
    return len(card.extra) == 1


def _encodings(card: Card) -> bool:
    return len(card.extra) == 2


def _any_slice(card: Card) -> bool:
    return not (card.sampling or _one_size(card) or card.extra)


def _number(seed: Seed) -> int:
    return seed if isinstance(seed, int) else sum(seed)
