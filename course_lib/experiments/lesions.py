"""Small bright structures put into scans, and how much of their contrast a reconstruction gives back."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..data.sample import Sample
from ..evaluate import head
from ..methods.base import Reconstructor

CONTRAST = 0.5  # of a lesion; 1 is about the brightest tissue
COUNT = 4  # lesions in an image


def disc(height: int, width: int, row: int, column: int, radius: float) -> Tensor:
    """(height, width): 1 within `radius` pixels of a place, 0 outside, and half a pixel of slope on either side."""
    rows, columns = torch.arange(height)[:, None] - row, torch.arange(width) - column
    return (radius + 0.5 - (rows.square() + columns.square()).sqrt()).clamp(0, 1)


def discs(image: Tensor, radius: float, seed: int, count: int = COUNT) -> Tensor:
    """Up to `count` discs at random places of the head, 3 radii apart. image (1, height, width), and so the result."""
    height, width = image.shape[-2:]
    inside = torch.nonzero(head(image)[0] * (image[0].abs() > 0))
    order = torch.randperm(len(inside), generator=torch.Generator().manual_seed(seed)).tolist()
    places: list[list[int]] = []
    for place in (inside[i].tolist() for i in order):
        if all(max(abs(a - b) for a, b in zip(place, other)) > 3 * radius + 2 for other in places):
            places.append(place)
        if len(places) == count:
            break
    found = [disc(height, width, row, column, radius) for row, column in places]
    return sum(found, torch.zeros(height, width))[None]


def lesioned(sample: Sample, shape: Tensor, contrast: float = CONTRAST) -> Sample:
    """The scan of the same person with `contrast` times `shape` more, in the phase of the image around it."""
    added = contrast * shape * torch.polar(torch.ones_like(shape), sample.image.angle())
    return replace(sample, kspace=sample.kspace + sample.A(added), image=sample.image + added)


def recovered(model: Reconstructor, sample: Sample, shape: Tensor) -> float:
    """Part of the lesions' contrast that comes back: 1 is all of it, 0 nothing. Both scans have the same noise."""
    with torch.no_grad():
        x = [model(s.kspace, s.A).abs() for s in (lesioned(sample, shape), sample)]
    ref = [s.image.abs() for s in (lesioned(sample, shape), sample)]
    return float(((x[0] - x[1]) * shape).sum() / ((ref[0] - ref[1]) * shape).sum())


class Lesioned(Sequence[Sample]):
    """Training samples with lesions of a random size, in other places each time."""

    def __init__(self, samples: Sequence[Sample], radii: Sequence[float]):
        self.samples, self.radii, self.given = samples, radii, 0

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        self.given += 1
        sample, radius = self.samples[index], self.radii[self.given % len(self.radii)]
        return lesioned(sample, discs(sample.image, radius, self.given))
