"""Review, section 2.5: does a recurrent network use that the frames of a film are alike, and that iterations are?"""

import torch
from torch import Tensor

from ..blocks import Recurrent
from ..data import cine, moving
from ..data.sample import Sample
from ..evaluate import evaluate
from ..methods.base import Reconstructor, card, cartesian
from ..ops.linear import LinearOperator
from ..ops.sense import Sense
from ..profiles import Profile
from ..scores import bootstrap
from ..shapes import Image, KSpace
from .base import Verdict, decide, experiment
from .domains import trained
from .statistics import words

VISIBLE = 0.2  # margin in dB; fixed, as all that follows, before anything was measured
RATE = 4
ITERATIONS, WIDTH = 3, 16  # of the recurrent network; DC-CNN has as many cascades, and about as many parameters
STEPS = {"ci": 8, "cpu": 150, "gpu": 2000}
RIVALS = ("one direction", "no memory", "frame by frame")


class OneWay(Recurrent):
    """The states run forwards in time only."""

    def over_time(self, u: Tensor) -> Tensor:
        h, found = torch.zeros_like(u[0]), []
        for now in u:
            h = (now + self.T(h)).relu()
            found.append(h)
        return torch.stack(found)


class Forgetful(Recurrent):
    """Every iteration begins with empty states."""

    def forward(self, x: Tensor, states: list[Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
        return super().forward(x, None)


class FrameByFrame(Reconstructor):
    """A method for images, used on every frame of a film (batch, time, height, width) on its own."""

    def __init__(self, model: Reconstructor):
        super().__init__()
        self.model = model

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        batch, frames = len(y), y.shape[2]
        fold = lambda a, axis: a.expand(batch, *a.shape[1:axis], frames, *a.shape[axis + 1 :]).movedim(axis, 1)
        y, mask, maps = (fold(a, 2).flatten(0, 1) for a in (y, cartesian(A).mask, cartesian(A).maps))
        return self.model(y, Sense(mask, maps)).unflatten(0, (batch, frames))


def network(name: str) -> Reconstructor:
    """One of the four, its weights always the same."""
    torch.manual_seed(0)
    if name == "frame by frame":
        return FrameByFrame(card("dc_cnn").build(cascades=ITERATIONS, width=WIDTH - 1, depth=5))
    model = card("crnn").build(iterations=ITERATIONS, width=WIDTH)
    model.f = {"CRNN": Recurrent, "one direction": OneWay, "no memory": Forgetful}[name](WIDTH)
    return model


def films(first: int, count: int) -> list[Sample]:
    return [cine.lines(moving.heart(i).film, RATE, i, coils=1) for i in range(first, first + count)]


@experiment(48, "2.5", "A recurrent network exploits that the frames of a film are alike, and that iterations are.")
def recurrence(where: Profile) -> Verdict:
    training, test = films(1000, {"ci": 6, "cpu": 48, "gpu": 96}[where.name]), films(3000, 12)
    models = {name: trained(network(name), training, STEPS[where.name]) for name in ("CRNN", *RIVALS)}
    levels = {name: evaluate(model, test).values["psnr"] for name, model in models.items()}
    return both_redundancies(levels, {name: sum(p.numel() for p in m.parameters()) for name, m in models.items()})


def both_redundancies(levels: dict[str, Tensor], sizes: dict[str, int]) -> Verdict:
    """PSNR of CRNN minus that of the best of its rivals, film by film: whatever is taken away must cost."""
    effect = bootstrap(levels["CRNN"] - torch.stack([levels[name] for name in RIVALS]).amax(0))
    drops = "; ".join(f"{name} {words(bootstrap(levels['CRNN'] - levels[name]))}" for name in RIVALS)
    each = ", ".join(f"{name} {float(v.mean()):.2f} dB ({sizes[name]:,} parameters)" for name, v in levels.items())
    remark = (
        f"One coil, R = {RATE}, phantoms, equal steps, one training each: {each}. CRNN minus {drops} dB. Frame by "
        "frame is DC-CNN in 2-D; without memory, the kernels that would read it are idle."
    )
    return Verdict(decide(effect, VISIBLE), effect, "PSNR (dB), CRNN minus the best of its ablations", remark)
