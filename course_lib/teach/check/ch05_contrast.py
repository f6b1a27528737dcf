"""Chapter 05, break it: how much of a small lesion a reconstruction keeps."""

import torch
from torch import Tensor

from ..exercise import Exercise
from .cases import images


def _kept(change: Tensor, lesion: Tensor) -> Tensor:
    return (change.flatten(1).sum(1) / lesion.flatten(1).sum(1)).real


def _contrast(with_disc: Tensor, without: Tensor, disc: Tensor, lesion: Tensor) -> Tensor:
    return _kept((with_disc - without) * disc, lesion * disc)


def _cases() -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Two images each with a lesion of another phase, of which six tenths survive, and changes everywhere else."""
    found = []
    for size in ((8, 8), (7, 9)):
        rows, columns = torch.meshgrid(*(torch.arange(n) for n in size), indexing="ij")
        disc = ((rows - 3) ** 2 + (columns - 4) ** 2 <= 3)[None].float()
        image, noise, other = (torch.cat([x, 0.5j * x.flip(-1)]) for x in images(size, size, size))
        lesion = disc * (0.2 * image + (0.3 - 0.4j))
        without = image + 0.1 * other
        found.append((without + 0.6 * lesion + 0.05 * noise, without, disc, lesion))
    return found


ch05_contrast = Exercise(
    reference=_contrast,
    cases=_cases,
    mistakes={
        "magnitude before the difference: subtract the complex images, a lesion may have another phase": (
            lambda with_disc, without, disc, lesion: _kept((with_disc.abs() - without.abs()) * disc, lesion.abs())
        ),
        "magnitude of the difference: noise has no sign then, and counts as contrast": (
            lambda with_disc, without, disc, lesion: _kept((with_disc - without).abs() * disc, lesion.abs())
        ),
        "sum over all pixels: what changes far from the disc is no contrast of the disc": (
            lambda with_disc, without, disc, lesion: _kept(with_disc - without, lesion)
        ),
        "compared with the image: divide by the lesion that was put in": (
            lambda with_disc, without, disc, lesion: _kept((with_disc - without) * disc, without * disc)
        ),
        "not compared: divide by the lesion that was put in": (
            lambda with_disc, without, disc, lesion: ((with_disc - without) * disc).flatten(1).sum(1).real
        ),
        "what is lost: this is 1 minus the part that survives": (
            lambda with_disc, without, disc, lesion: 1 - _contrast(with_disc, without, disc, lesion)
        ),
        "one number for all: sum over height and width, not over the batch": (
            lambda with_disc, without, disc, lesion: (((with_disc - without) * disc).sum() / (lesion * disc).sum()).real
        ),
    },
)  # fmt: skip
