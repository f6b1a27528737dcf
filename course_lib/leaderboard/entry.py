"""What belongs on the board: one line for a method in a setting at an acceleration, from a seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from inspect import signature

from .. import data
from ..methods.base import card
from ..profiles import Profile
from .fingerprint import fingerprint
from .settings import SEVERAL_SEEDS, Setting, settings

MOST_COILS = 16  # of k-space networks, which have two channels for each


@dataclass(frozen=True)
class Entry:
    """`seconds` is what a network may train."""

    method: str
    setting: Setting
    acceleration: int
    seed: int
    where: Profile
    seconds: float

    @property
    def key(self) -> dict:
        names = {"method": self.method, "setting": self.setting.name}
        return names | {"acceleration": self.acceleration, "seed": self.seed}

    @property
    def learns(self) -> bool:
        """Whether it has weights from a database."""
        return card(self.method).learns == "database"

    @property
    def built(self) -> dict:
        """The settings a network is built with: the paper's on a GPU, but for the size of the task."""
        if not self.learns:
            return {}
        takes = signature(card(self.method).cls).parameters
        paper = {"coils": MOST_COILS} if "coils" in takes else {}
        size = {"size": self.setting.size} if "size" in takes else {}
        return (card(self.method).small if self.where.name != "gpu" else paper) | size

    @property
    def now(self) -> str:
        """The fingerprint that its row has if it is made with today's code and data."""
        return self._fingerprint(self.key)

    @property
    def training(self) -> str:
        """The same for its weights, which serve every acceleration."""
        return self._fingerprint(self.key | {"acceleration": None})

    def _fingerprint(self, key: dict) -> str:
        configuration = key | {"built": self.built, "profile": self.where.name}
        if self.learns:
            configuration["seconds"] = self.seconds
        return fingerprint(card(self.method), data.root(self.where.name), configuration)


def entries(where: Profile, seconds: float, methods: Sequence[str] = (), seeds: int = 3) -> Iterator[Entry]:
    """All entries, or those of `methods`; networks in SEVERAL_SEEDS are trained `seeds` times, the others once."""
    chosen = [card(name).name for name in methods]
    for setting in settings().values():
        for name in setting.methods:
            if not chosen or name in chosen:
                for seed in range(seeds if name in SEVERAL_SEEDS else 1):
                    for R in setting.accelerations:
                        yield Entry(name, setting, R, seed, where, seconds)
