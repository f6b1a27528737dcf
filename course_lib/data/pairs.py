"""Pairs (k-space, image) made from images: what a network needs that must learn the transform itself.

A few hundred slices are few for millions of weights; moved, mirrored and turned they are many.
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from ..ops import fft2c
from ..shapes import Image
from .sample import Sample, undersample


def coil_images(samples: Sequence[Sample]) -> Image:
    """What the first coil saw in each slice, with its phase: (slices, height, width), in the units of the samples."""
    return torch.cat([s.maps[:, 0] * s.image for s in samples])


def varied(images: Image, count: int, rng: Generator) -> Tensor:
    """`count` of the images, drawn anew: moved by up to an eighth of the field of view, mirrored, turned if square."""
    found = images[torch.randint(len(images), (count,), generator=rng)]
    height, width = images.shape[-2:]
    for i, x in enumerate(found):
        moves, mirrored, turns = (torch.rand(n, generator=rng).tolist() for n in (2, 2, 1))
        x = x.roll([round((2 * m - 1) * n / 8) for m, n in zip(moves, (height, width))], (0, 1))
        x = x.flip([axis for axis in (0, 1) if mirrored[axis] < 0.5])
        found[i] = x.rot90(int(4 * turns[0])) if height == width else x
    return found


class Pairs(Sequence[Sample]):
    """Varied images as one coil of sensitivity 1 would see them through `mask`; another draw at every access.

    Each item is a batch of `batch` pairs. noise: standard deviation of the complex noise in k-space, as a part of the
    largest magnitude of the images. The same seed and order of access give the same pairs.
    """

    def __init__(self, images: Image, mask: Tensor, batch: int = 8, noise: float = 0.0, seed: int = 0):
        self.images, self.mask, self.batch = images, mask, batch
        self.level = noise * float(images.abs().max())
        self.rng = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return -(-len(self.images) // self.batch)

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        x = varied(self.images, self.batch, self.rng)
        k = fft2c(x)[:, None]
        k = k + self.level * torch.randn(k.shape, dtype=k.dtype, generator=self.rng)
        return undersample(k, torch.ones_like(k), self.mask, x)
