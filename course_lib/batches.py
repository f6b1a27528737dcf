"""What training eats: batches in random order, without end, on the device that trains."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from .data.sample import Sample, stack

AHEAD = 6  # batches that are made while a GPU trains on the one before


def batches(samples: Sequence[Sample], batch: int, seed: int, device: torch.device) -> Iterator[Sample]:
    """Batches on the device, without end; threads make those for a GPU, which would otherwise wait for each."""
    make = lambda chosen: stack([samples[i] for i in chosen]).to(device)
    choices = _choices(len(samples), batch, seed)
    if device.type == "cpu":
        yield from map(make, choices)
    with ThreadPoolExecutor(AHEAD) as pool:
        waiting = deque(pool.submit(make, next(choices)) for _ in range(AHEAD))
        while True:
            yield waiting.popleft().result()
            waiting.append(pool.submit(make, next(choices)))


def _choices(count: int, batch: int, seed: int) -> Iterator[list[int]]:
    """Which samples make a batch: all of them in random order, then in another one."""
    rng = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(count, generator=rng).tolist()
        for i in range(0, count - batch + 1, batch):
            yield order[i : i + batch]
