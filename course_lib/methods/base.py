"""What every reconstruction method is: a function of the data and the forward model, with a card."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from torch import Tensor, nn

from ..data.sample import Sample
from ..errors import CourseError, ShapeError
from ..losses import mse
from ..ops.linear import LinearOperator
from ..ops.radial import RadialSense
from ..ops.sense import Coils, Fourier, Sense
from ..sampling import Draw
from ..shapes import Image, KSpace, agree


class Reconstructor(nn.Module):
    """`x = method(y, A)`: y (batch, coil, *extra, height, width) -> x (batch, *extra, height, width)."""

    card: "Card"

    def __init__(self):
        super().__init__()
        self.critic: Any = None  # the module that the model is trained against, if there is one

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        """The method."""
        raise NotImplementedError

    def loss(self, sample: Sample) -> Tensor:
        """What training lowers; supervised mean squared error unless the method has its own."""
        return mse(self(sample.kspace, sample.A), sample.image)

    def critic_loss(self, sample: Sample) -> Tensor | None:
        """What the critic lowers, in turns with `loss`; None when there is no critic."""
        return None

    def own(self) -> list[nn.Parameter]:
        """The parameters that reconstruct: all but the critic's, which only training needs."""
        critics = set() if self.critic is None else set(self.critic.parameters())
        return [p for p in self.parameters() if p not in critics]

    def __call__(self, y: KSpace, A: LinearOperator) -> Image:
        if not isinstance(A, Sense | RadialSense):
            return super().__call__(y, A)
        if isinstance(A, Sense):
            agree(type(self).__name__, y=y, mask=A.mask, maps=A.maps)
        return super().__call__(y, A) * (A.maps != 0).any(1)  # what no coil sees is 0


Knob = tuple[str, tuple[float, ...]]  # a setting, and the values to try on validation data, rising


@dataclass(frozen=True)
class Card:
    """The facts about a method that its code does not say."""

    name: str
    cls: type[Reconstructor]
    ref: int | None  # reference number in the review; None for what it does not cite
    section: str
    learns: Literal["nothing", "database", "scan"]
    small: dict[str, Any] = field(default_factory=dict)  # overrides for a CPU
    differs: tuple[str, ...] = ()  # known departures from the paper
    sampling: Draw | None = None  # (width, seed) -> a mask that it needs, to be tried with; None: any mask will do
    knob: Knob | None = None  # what is tuned before it is compared with others
    mixes_rows: bool = False  # it cannot be trained on strips of the image
    thin: bool = False  # it sees few rows at a time: its strips may be half as tall
    extra: tuple[int, ...] = ()  # lengths of the extra axes (encodings, time) that it needs, to be tried with

    def build(self, **settings: Any) -> Reconstructor:
        """The method with the paper's settings, or with those given."""
        return self.cls(**settings)

    def cut(self, strip: int | None, batch: int) -> tuple[int | None, int]:
        """Rows of its training strips, and strips a step, for a profile's: twice as many of half the height if it may.

        More subjects in a step, for the same work, make a better gradient.
        """
        if strip is None or self.mixes_rows:
            return None, batch
        return (strip // 2, 2 * batch) if self.thin else (strip, batch)


METHODS: dict[str, Card] = {}
Method = TypeVar("Method", bound=Reconstructor)


def cartesian(A: LinearOperator) -> Sense:
    """`A` as what methods of k-space need it to be, with a mask and maps, or an error."""
    if not isinstance(A, Sense):
        raise CourseError("a method of k-space", "lines or points of a grid: ops.Sense", type(A).__name__, "sense_cg")
    return A


def combine(k: KSpace, A: LinearOperator) -> Image:
    """The image of completed k-space, its coils combined with the maps that `A` holds."""
    return (Fourier() @ Coils(cartesian(A).maps)).H(k)


def encoded(x: Image) -> Image:
    """`x` as what methods of flow need it to be, or an error: reference and velocity-encoded image, and time."""
    if x.ndim != 5 or x.shape[1] != 2:
        remedy = "course_lib.data.cine.lines of a film of data.moving.vessels"
        raise ShapeError("a method of flow", "(batch, 2, time, height, width)", f"{tuple(x.shape)}", remedy)
    return x


def filmed(x: Image) -> Image:
    """`x` as what recurrent methods need it to be, or an error: one image for each time."""
    if x.ndim != 4:
        wanted = "(batch, time, height, width)"
        raise ShapeError("a method of films", wanted, f"{tuple(x.shape)}", "course_lib.data.cine.lines of a film")
    return x


def method(
    name: str,
    *,
    ref: int | None,
    section: str,
    learns: Literal["nothing", "database", "scan"],
    small: dict[str, Any] | None = None,
    differs: tuple[str, ...] = (),
    sampling: Draw | None = None,
    knob: Knob | None = None,
    mixes_rows: bool = False,
    thin: bool = False,
    extra: tuple[int, ...] = (),
) -> Callable[[type[Method]], type[Method]]:
    """Class decorator: put a Reconstructor and its card on the table of METHODS."""

    def register(cls: type[Method]) -> type[Method]:
        cls.card = METHODS[name] = Card(
            name, cls, ref, section, learns, small or {}, differs, sampling, knob, mixes_rows, thin, extra
        )
        return cls

    return register


def card(name: str) -> Card:
    """The card of a method, or an error that lists the names there are."""
    if name not in METHODS:
        raise CourseError(f"no method is called {name!r}", expected=f"one of {', '.join(METHODS)}", found=repr(name))
    return METHODS[name]
