"""Chapter 09, GANCS: a class that is built, filled with numbers and called."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ...methods.base import Reconstructor
from ...methods.restore.gancs import GANCS
from ...ops import Sense
from ..exercise import Exercise
from .ch15 import scans

Step = Callable[..., Tensor]


def _run(network: Callable[..., Any], y: Tensor, A: Sense) -> list:
    """The image, and the gradients of its energy with respect to the generator (0 where none arrives)."""
    model = network(width=3, blocks=1)
    rng = torch.Generator().manual_seed(5)
    for p in model.parameters():
        nn.init.normal_(p, std=0.3, generator=rng)
    x, weights = model.forward(y, A), list(model.G.parameters())
    if not isinstance(x, Tensor) or not x.requires_grad:
        return [x, *(torch.zeros_like(p) for p in weights)]
    found = torch.autograd.grad(x.abs().square().sum(), weights, allow_unused=True)
    return [x.detach(), *(torch.zeros_like(p) if g is None else g for g, p in zip(found, weights))]


def _wrong(step: Step) -> type[Reconstructor]:
    """GANCS with this forward: (model, y, A) -> x."""

    class Wrong(GANCS):
        def forward(self, y, A):
            return step(self, y, A)

    return Wrong


def _projected(z: Tensor, y: Tensor, A: Sense, size: float = 1.0) -> Tensor:
    return z + size * A.H(y - A(z))


ch09_gancs = Exercise(
    reference=GANCS,
    cases=scans,
    run=_run,
    mistakes={
        "no projection: after G the data must have a say": _wrong(lambda self, y, A: self.G(A.H(y))),
        "away from the data: the residual is y - A z": _wrong(
            lambda self, y, A: _projected(self.G(A.H(y)), y, A, size=-1)
        ),
        "data added, nothing taken away: what the network says of acquired samples must go": _wrong(
            lambda self, y, A: self.G(A.H(y)) + A.H(y)
        ),
        "the projection comes first: the last word would be the network's": _wrong(
            lambda self, y, A: self.G(_projected(A.H(y), y, A))
        ),
        "half a step: a projection takes the whole residual": _wrong(
            lambda self, y, A: _projected(self.G(A.H(y)), y, A, size=0.5)
        ),
        "the network is not used: z comes from G": _wrong(
            lambda self, y, A: _projected(A.H(y), y, A) + 0 * self.G(A.H(y))
        ),
        "the network's image is added to the zero-filled one: G proposes the image itself": _wrong(
            lambda self, y, A: _projected(A.H(y) + self.G(A.H(y)), y, A)
        ),
        "the gradient stops at z: is there a detach?": _wrong(
            lambda self, y, A: _projected(self.G(A.H(y)).detach(), y, A)
        ),
    },
)
