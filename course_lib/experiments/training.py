"""A small network, zero-filled images and plain loops: what questions about training need."""

import math
from collections.abc import Iterator, Sequence
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss as mse

from .. import data
from ..blocks import as_real
from ..data.sample import Sample
from ..methods.base import Reconstructor
from ..profiles import Profile
from ..sampling import Draw, protocol


def pairs(
    split: str, where: Profile, count: int, strip: int | None = None, mask: Draw | None = None
) -> tuple[Tensor, Tensor]:
    """`count` zero-filled images at R = 4 and their truths, as two channels: each (count, 2, height, width)."""
    slices = data.slices(split, mask or protocol(4), where.name, strip=strip)
    samples = [slices[i] for i in torch.linspace(0, len(slices) - 1, min(count, len(slices))).long().tolist()]
    return torch.cat([as_real(s.A.H(s.kspace)) for s in samples]), torch.cat([as_real(s.image) for s in samples])


def epochs(net: nn.Module, x: Tensor, truth: Tensor, lr: float, batch: int = 2, seed: int = 0) -> Iterator[float]:
    """Train with Adam for ever; yields the mean squared error of each epoch (as seen while training)."""
    optimiser = torch.optim.Adam(net.parameters(), lr=lr)
    rng = torch.Generator().manual_seed(seed)
    while True:
        total = 0.0
        for part in torch.randperm(len(x), generator=rng).split(batch):
            loss = mse(net(x[part]), truth[part])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(part)
        yield total / len(x)


def time_to(losses: Iterator[float], level: float, most: int) -> float:
    """Epochs until the loss is at `level`, a straight line in its logarithm between two epochs; `most` if it is not."""
    before = math.inf
    for epoch, loss in enumerate(islice(losses, most), 1):
        if not math.isfinite(loss):
            return float(most)
        if loss <= level:
            part = math.log(before / level) / math.log(before / loss) if loss < before < math.inf else 1.0
            return epoch - 1 + part
        before = loss
    return float(most)


def taught(model: Reconstructor, samples: Sequence[Sample], steps: int, lr: float = 2e-3, seed: int = 0):
    """`model`, trained by its own loss for as many steps, not seconds: no loss pays for being slow to compute."""
    optimiser = torch.optim.Adam(model.parameters(), lr=lr)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    rng = torch.Generator().manual_seed(seed)
    for index in torch.randint(len(samples), (steps,), generator=rng).tolist():
        optimiser.zero_grad()
        model.loss(samples[index]).backward()
        optimiser.step()
        slower.step()
    return model
