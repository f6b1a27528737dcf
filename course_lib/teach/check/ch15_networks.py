"""Chapter 15, the forward passes of DC-CNN and MoDL: classes that are built, filled with numbers and called."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ...methods.base import Reconstructor
from ...methods.unrolled.dc_cnn import DCCNN
from ...methods.unrolled.modl import MoDL
from ...ops import Sense
from ...solve import shifted_inverse
from ..exercise import Exercise
from .ch15 import scans

Step = Callable[..., Tensor]
Of = Callable[[Any], Any]  # something of a model


def _run(network: Callable[..., Any], settings: dict, y: Tensor, A: Sense) -> list:
    """The image, and the gradients of its energy with respect to every parameter (0 where none arrives)."""
    model = network(**settings, width=3, depth=2)
    rng = torch.Generator().manual_seed(5)
    for p in model.parameters():
        if p.ndim:  # all but lam
            nn.init.normal_(p, std=0.2, generator=rng)
    x = model.forward(y, A)
    if not isinstance(x, Tensor) or not x.requires_grad:
        return [x, *(torch.zeros_like(p) for p in model.parameters())]
    found = torch.autograd.grad(x.abs().square().sum(), list(model.parameters()), allow_unused=True)
    return [x.detach(), *(torch.zeros_like(p) if g is None else g for g, p in zip(found, model.parameters()))]


def _wrong(base: type[Reconstructor], networks: Of, step: Step, shift: Of) -> type[Reconstructor]:
    """`base` with this step: (model, CNN, x, A^H y, solve) -> the next x."""

    class Wrong(base):
        def forward(self, y, A):
            x = AHy = A.H(y)
            solve = shifted_inverse(A, shift(self))
            for f in networks(self):
                x = step(self, f, x, AHy, solve)
            return x

    return Wrong


def _dc_cnn(step: Step, shift: Of = lambda model: 1 / model.lam) -> type[Reconstructor]:
    return _wrong(DCCNN, lambda model: model.f, step, shift)


def _modl(step: Step, shift: Of = lambda model: model.lam) -> type[Reconstructor]:
    return _wrong(MoDL, lambda model: [model.D] * model.iterations, step, shift)


@torch.no_grad()
def _no_gradient(self, f, x, AHy, solve):
    return solve(AHy + (x + f(x)) / self.lam)


ch15_dc_cnn = Exercise(
    reference=DCCNN,
    cases=lambda: [({"cascades": 3, "lam": lam}, *scan) for scan, lam in zip(scans(), (3.0, 0.7))],
    run=_run,
    mistakes={
        "data consistency before the network: the last word would be the network's": _dc_cnn(
            lambda self, f, x, AHy, solve: (t := solve(AHy + x / self.lam)) + f(t)
        ),
        "x is missing: the network proposes a correction, z = x + f(x)": _dc_cnn(
            lambda self, f, x, AHy, solve: solve(AHy + f(x) / self.lam)
        ),
        "lambda on the wrong side: the system is (A^H A + 1/lam) x = A^H y + z/lam": _dc_cnn(
            lambda self, f, x, AHy, solve: solve(AHy + (x + f(x)) * self.lam)
        ),
        "another shift than in the right-hand side: with data that agree, z must stay z": _dc_cnn(
            lambda self, f, x, AHy, solve: solve(AHy + (x + f(x)) / self.lam), lambda model: model.lam
        ),
        "the data are forgotten: A^H y stands in every right-hand side": _dc_cnn(
            lambda self, f, x, AHy, solve: solve((x + f(x)) / self.lam)
        ),
        "every cascade starts anew: it must go on from the x of the one before": _dc_cnn(
            lambda self, f, x, AHy, solve: solve(AHy + (AHy + f(AHy)) / self.lam)
        ),
        "one network in all cascades: DC-CNN has one for each, MoDL shares": _dc_cnn(
            lambda self, f, x, AHy, solve: solve(AHy + (x + self.f[0](x)) / self.lam)
        ),
        "the gradient stops between cascades: all of them are trained together": _dc_cnn(
            lambda self, f, x, AHy, solve: solve(AHy + (x.detach() + f(x.detach())) / self.lam)
        ),
        "the gradient does not reach the networks: is z detached?": _dc_cnn(
            lambda self, f, x, AHy, solve: solve(AHy + (x + f(x)).detach() / self.lam)
        ),
        "no gradient at all: is there a no_grad?": _dc_cnn(_no_gradient),
    },
)

ch15_modl = Exercise(
    reference=MoDL,
    cases=lambda: [({"iterations": 3, "lam": lam}, *scan) for scan, lam in zip(scans(), (0.3, 2.0))],
    run=_run,
    mistakes={
        "data consistency before the network: the last word would be the network's": _modl(
            lambda self, D, x, AHy, solve: D(solve(AHy + self.lam * x))
        ),
        "the artefact is taken for the image: D(x) is x minus the artefact": _modl(
            lambda self, D, x, AHy, solve: solve(AHy + self.lam * self.artefact(x))
        ),
        "lambda on the wrong side: here it weighs the network, (A^H A + lam) x = A^H y + lam z": _modl(
            lambda self, D, x, AHy, solve: solve(AHy + D(x) / self.lam)
        ),
        "lambda only on the left: the right-hand side is A^H y + lam z": _modl(
            lambda self, D, x, AHy, solve: solve(AHy + D(x))
        ),
        "another shift than in the right-hand side: with data that agree, z must stay z": _modl(
            lambda self, D, x, AHy, solve: solve(AHy + self.lam * D(x)), lambda model: 1 / model.lam
        ),
        "the data are forgotten: A^H y stands in every right-hand side": _modl(
            lambda self, D, x, AHy, solve: solve(self.lam * D(x))
        ),
        "every iteration starts anew: it must go on from the x of the one before": _modl(
            lambda self, D, x, AHy, solve: solve(AHy + self.lam * D(AHy))
        ),
        "the gradient stops between iterations: all of them are trained together": _modl(
            lambda self, D, x, AHy, solve: solve(AHy + self.lam * D(x.detach()))
        ),
    },
)
