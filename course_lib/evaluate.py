"""Evaluation: one loop, one metric code for every method; and how a classical method gets its lambda."""

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from . import metrics
from .data.sample import Problem
from .methods.base import Card, Reconstructor
from .scores import METRICS, Scores


def evaluate(model: Reconstructor, samples: Sequence[Problem], inside: bool = False) -> Scores:
    """Metrics of every slice; with `inside` only within the head, which keeps a clean background from flattering."""
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    values: dict[str, list[Tensor]] = {name: [] for name in METRICS}
    seconds = 0.0
    model.eval()
    for sample in samples:
        sample = sample.to(device)
        start = time.perf_counter()
        with torch.no_grad():
            x = model(sample.kspace, sample.A)
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds += time.perf_counter() - start
        region = head(sample.image) if inside else None
        for name in METRICS:
            values[name].append(getattr(metrics, name)(x, sample.image, inside=region).cpu())
    model.train()
    return Scores({name: torch.cat(v) for name, v in values.items()}, seconds / len(samples))


def tune(build: Callable[[float], Reconstructor], samples: Sequence[Problem], values: Sequence[float]) -> float:
    """The value whose method has the lowest mean NRMSE on `samples`: how every classical baseline gets its lambda.

    `values` must rise. The search walks downhill from the middle, so a grid of n values costs about n/2 tries.
    """
    tried: dict[int, float] = {}

    def error(index: int) -> float:
        if index not in tried:
            tried[index] = evaluate(build(values[index]), samples).mean("nrmse")
        return tried[index]

    here = len(values) // 2
    while True:
        around = [i for i in (here - 1, here, here + 1) if 0 <= i < len(values)]
        best = min(around, key=error)
        if best == here:
            return values[here]
        here = best


def tuned(method: Card, samples: Sequence[Problem]) -> Reconstructor:
    """The method with its knob at the value that is best on `samples`; as it is when it has none."""
    if method.knob is None:
        return method.build()
    name, values = method.knob
    return method.build(**{name: tune(lambda value: method.build(**{name: value}), samples, values)})


def head(image: Tensor) -> Tensor:
    """Where there is tissue: 1 where the smoothed magnitude is above a tenth of its maximum. Shape of `image`."""
    smooth = avg_pool2d(image.abs(), 9, stride=1, padding=4, count_include_pad=False)
    return (smooth > 0.1 * smooth.amax((-2, -1), keepdim=True)).float()
