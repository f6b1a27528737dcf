"""Chapter 15, exercise 5: the PSNR of MoDL with fewer iterations than it was trained with, and with more."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from ...data.sample import Sample
from ...evaluate import evaluate
from ...methods.unrolled.modl import MoDL
from ...ops import Sense
from ...sampling import uniform
from ..exercise import Exercise
from .cases import images

Measure = Callable[[MoDL, Sequence[Sample]], float]


def _samples() -> list[Sample]:
    """Two slices of one coil, with noise."""
    found = []
    for image, noise in zip(images((16, 16), (16, 15)), images((16, 16), (16, 15)), strict=True):
        mask = uniform(image.shape[-1], 2, 4)
        y = Sense(mask, torch.ones_like(image)[:, None])(image + 0.1 * noise.flip(-1))
        found.append(Sample(y, mask, torch.ones_like(image)[:, None], image))
    return found


def _run(ladder: Callable[..., Any], samples: Sequence[Sample], tried: Sequence[int], trained_with: int) -> list:
    """What a new MoDL's ladder holds, and with how many iterations the model leaves."""
    model = MoDL(iterations=trained_with, width=3, depth=2, lam=0.5)
    rng = torch.Generator().manual_seed(5)
    for p in model.parameters():
        if p.ndim:  # all but lam
            nn.init.normal_(p, std=0.2, generator=rng)
    found = ladder(model, samples, list(tried))
    return [found, model.iterations]


def _psnr(modl: MoDL, samples: Sequence[Sample]) -> float:
    return evaluate(modl, samples).mean("psnr")


@torch.no_grad()
def _misfit(modl: MoDL, samples: Sequence[Sample]) -> float:
    off = [(s.A(modl(s.kspace, s.A)) - s.kspace).norm() / s.kspace.norm() for s in samples]
    return torch.stack(off).mean().item()


def _ladder(measure: Measure, back: bool = True, changed: bool = True) -> Callable[..., list[float]]:
    """A solution that may forget to put the number back, or to change it."""

    def ladder(modl, samples, tried):
        trained_with, found = modl.iterations, []
        for number in tried:
            modl.iterations = number if changed else trained_with
            found.append(measure(modl, samples))
        modl.iterations = trained_with if back else modl.iterations
        return found

    return ladder


ch15_ladder = Exercise(
    reference=_ladder(_psnr),
    cases=lambda: [(_samples(), (1, 2, 4), 3), (_samples()[:1], (5, 1), 2)],
    run=_run,
    mistakes={
        "iterations not put back: whoever uses the network next gets another one": _ladder(_psnr, back=False),
        "misfit, not PSNR: agreement with the data says nothing about what was not measured": _ladder(_misfit),
        "the same number each time: set modl.iterations before you evaluate": _ladder(_psnr, changed=False),
        'another metric: `.mean("psnr")` of the scores': _ladder(lambda modl, s: evaluate(modl, s).mean("nrmse")),
        "one slice only: the mean over all samples": _ladder(lambda modl, samples: _psnr(modl, samples[:1])),
    },
)
