"""Where the samples of a task come from: slices of the data set in use, or films of phantoms and of one real heart."""

import math
from collections.abc import Callable, Sequence

from .. import data
from ..data import cine, moving
from ..data.sample import Sample
from ..profiles import Profile
from ..sampling import Draw

Source = Callable[[str, Profile, Sequence[int], bool, int | None], Sequence[Sample]]
FIRST = {"train": 1000, "val": 2000, "test": 3000, "real": 4000}  # seeds of the films of each split
TRAINING = {"ci": 6, "cpu": 48, "gpu": 96}  # films
SIZE, FRAMES = 48, 8


def static(mask: Callable[..., Draw], size: tuple[int, int] | None = None) -> Source:
    """Slices; `mask(4, 8)` draws the samples of either acceleration; size: so much of the centre of k-space."""

    def slices(split: str, where: Profile, accelerations: Sequence[int], training: bool, strip: int | None):
        if split not in data.splits(where.name, (split,)):
            return []
        return data.slices(split, mask(*accelerations), where.name, training=training, size=size, strip=strip)

    return slices


def hearts(split: str, where: Profile, accelerations: Sequence[int], training: bool, strip: int | None) -> list[Sample]:
    """Beating hearts along tiny-golden-angle spokes, fewer than Nyquist's by the acceleration; the real one last."""
    films = []
    for i in range(_count(split, where)):
        film = cine.real_film(i, SIZE, FRAMES) if split == "real" else moving.heart(FIRST[split] + i, SIZE, FRAMES).film
        spokes = round(math.pi / 2 * SIZE / accelerations[i % len(accelerations)])
        films.append(cine.spokes(film, spokes, FIRST[split] + i))
    return films


def vessels(
    split: str, where: Profile, accelerations: Sequence[int], training: bool, strip: int | None
) -> list[Sample]:
    """Pulsating flow, two velocity encodings, other random lines in each frame; there is no real one."""
    seeds = [] if split == "real" else range(FIRST[split], FIRST[split] + _count(split, where))
    films = ((moving.vessels(seed, SIZE, FRAMES // 2).film, seed) for seed in seeds)
    return [cine.lines(film, accelerations[seed % len(accelerations)], seed, coils=1) for film, seed in films]


def _count(split: str, where: Profile) -> int:
    return TRAINING[where.name] if split == "train" else {"val": 4, "test": 12, "real": 3}[split]
