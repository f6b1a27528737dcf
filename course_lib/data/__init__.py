"""Scans: the fastMRI file format, the data set that ships with the course, and samples for every method."""

from collections.abc import Sequence

from ..sampling.protocol import Draw
from .atomic import whole
from .dataset import Slices
from .embedded import prepare, root
from .fastmri import crop, write, write_submission, write_test
from .header import Header
from .pairs import Pairs, coil_images
from .sample import Sample, scale, stack, strip, undersample
from .subset import subset
from .volume import Volume, check_file, read

MEMORY = 2**30  # bytes of prepared slices that `slices` keeps


def slices(
    split: str,
    mask: Draw | None = None,
    profile: str | None = None,
    training: bool = False,
    coils: int | None = None,
    size: tuple[int, int] | None = None,
    strip: int | None = None,
) -> Slices:
    """The slices of a split (train, val, test, real) of the data set in use, kept in memory up to `MEMORY` bytes.

    mask and the rest as for `Slices`; profile: "ci", "cpu" or "gpu", by default what COURSE_PROFILE says.
    """
    return Slices(root(profile) / split, mask, training, coils, size, strip, keep=MEMORY)


def splits(profile: str | None = None, wanted: Sequence[str] = ("train", "val", "test", "real")) -> list[str]:
    """Those of the `wanted` splits that the data set in use has."""
    return [split for split in wanted if any((root(profile) / split).glob("*.h5"))]


__all__ = [
    "Header", "Pairs", "Sample", "Slices", "Volume", "check_file", "coil_images", "crop", "prepare", "read", "root",
    "scale", "slices", "splits", "stack", "strip", "subset", "undersample", "whole", "write", "write_submission",
    "write_test",
]  # fmt: skip
