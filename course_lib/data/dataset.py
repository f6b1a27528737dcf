"""Slices of fastMRI-format files as samples, ready for any method."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..errors import CourseError
from ..ops.sense import ifft2c
from ..sampling import within
from ..sampling.protocol import Draw
from ..shapes import Image, KSpace, Maps
from ..solve.calibrate import compress, espirit, mix
from .sample import Sample, crop_readout, strip, undersample
from .volume import Volume, read, require_target


@dataclass(frozen=True)
class Slice:
    """A slice before a mask is drawn: all k-space that was measured, without readout oversampling, and the truth.

    kspace and maps (1, coil, height, width), image (1, height, width). Columns [left, right) = `padding` were measured.
    mask: (width,) of a slice that is already undersampled, else None.
    """

    kspace: KSpace
    maps: Maps
    image: Image
    padding: tuple[int, int]
    mask: Tensor | None

    @property
    def bytes(self) -> int:
        """Memory it takes; maps that a whole volume shares are counted for each slice."""
        return sum(x.nbytes for x in (self.kspace, self.maps, self.image))


class Slices(Dataset[Sample], Sequence[Sample]):
    """The slices of a folder or a list of files, each a Sample with batch 1. Nothing stays open between accesses.

    files: a folder of .h5 files, a file, or several. mask: function (width, seed) -> mask, as `sampling.protocol(4)`;
    columns that the scanner zero-padded are cleared. Files that hold their own mask keep it; then mask may be None.
    training=False: the seed is the file's name, as in fastMRI: one mask for all slices of a volume. training=True: a
    new mask at each access, seeded by (epoch, times this slice was read before, index); set `epoch` before each epoch
    if worker processes start anew with each.
    coils: compress to so many virtual coils. size (height, width): keep this centre of k-space, a lower resolution.
    maps: from the file, else ESPIRiT from the central `calibration` rows and columns, as from a separate calibration
    scan; files already undersampled use what lines they have. image: from the file, else the coil images combined.
    target=False accepts files without truth; for those already undersampled the image is zeros.
    strip: that many rows only, at a random place when training, else in the middle. The readout is fully sampled, so
    the rows of the image do not mix and a strip is a true, cheaper reconstruction problem.
    keep: bytes of prepared slices to hold in memory, so that a small set is read once.
    """

    def __init__(
        self,
        files: str | Path | Sequence[str | Path],
        mask: Draw | None = None,
        training: bool = False,
        coils: int | None = None,
        size: tuple[int, int] | None = None,
        strip: int | None = None,
        target: bool = True,
        calibration: int = 24,
        keep: int = 0,
    ):
        self.files = listed(files)
        self.mask, self.training, self.coils, self.size = mask, training, coils, size
        self.strip, self.target, self.calibration, self.keep = strip, target, calibration, keep
        self.ends = list(accumulate(len(self._open(file)) for file in self.files))
        self.epoch = 0
        self.visits: dict[int, int] = {}
        self.kept: dict[int, Slice] = {}

    def __len__(self) -> int:
        return self.ends[-1]

    def __getitem__(self, index: int) -> Sample:
        file, number = self.where(index)
        full = self.prepared(index)
        seed = tuple(map(ord, file.name))
        if self.training:
            seed = (self.epoch, self.visits.get(index, 0), index)
            self.visits[index] = self.visits.get(index, 0) + 1
        sample = undersample(full.kspace, full.maps, self._drawn(file, full, seed), full.image)
        if self.strip is None or self.strip >= full.kspace.shape[-2]:
            return sample
        spare = full.kspace.shape[-2] - self.strip
        start = int(np.random.RandomState(seed).randint(spare + 1)) if self.training else spare // 2
        return strip(sample, start, self.strip)

    def where(self, index: int) -> tuple[Path, int]:
        """The file of a slice and its number there."""
        if not 0 <= index < len(self):
            raise IndexError(f"slice {index} of {len(self)}")
        file = bisect_right(self.ends, index)
        return Path(self.files[file]), index - (self.ends[file - 1] if file else 0)

    def prepared(self, index: int) -> Slice:
        """The slice before its mask: from memory if it was kept, else from its file."""
        if index in self.kept:
            return self.kept[index]
        file, number = self.where(index)
        full = prepare(self._open(file), number, self.coils, self.size, self.calibration)
        if full.bytes <= self.keep - sum(s.bytes for s in self.kept.values()):
            self.kept[index] = full
        return full

    def _open(self, file: str | Path) -> Volume:
        volume = read(file)
        if self.target:
            require_target(volume)
        if volume.mask is None and self.mask is None:
            remedy = "give Slices a mask, as course_lib.sampling.protocol(4)"
            raise CourseError(f"{file} is fully sampled", "a mask to undersample it with", "mask=None", remedy)
        return volume

    def _drawn(self, file: Path, full: Slice, seed: tuple[int, ...]) -> Tensor:
        width = full.kspace.shape[-1]
        mask = full.mask
        if mask is None:
            assert self.mask is not None  # _open made sure
            mask = self.mask(width, seed)
        mask = mask.reshape(1, 1, *([1] if mask.ndim == 1 else mask.shape[-2:-1]), -1).float()
        if mask.shape[-1] != width or mask.shape[-2] not in (1, full.kspace.shape[-2]):
            found, remedy = f"{tuple(mask.shape)}", "let the mask function use the width it is given"
            raise CourseError(f"{file}: mask", f"(1, 1, 1, {width})", found, remedy)
        mask = within(mask, *full.padding)
        if not mask.any():
            raise CourseError(f"{file}: mask", "at least one acquired column", "zeros only", "give another mask")
        return mask


def listed(files: str | Path | Sequence[str | Path]) -> list[str]:
    """Paths of the .h5 files in a folder, sorted; or the files themselves. Raises CourseError if there are none."""
    where = files if isinstance(files, (str, Path)) else "the list of files"
    if isinstance(files, (str, Path)):
        files = sorted(Path(files).glob("[!.]*.h5")) if Path(files).is_dir() else [files]
    if not files:
        remedy = "python -m course_lib prepare, or another folder"
        raise CourseError(f"no data in {where}", "files that end in .h5", "none", remedy)
    return [str(file) for file in files]


def prepare(
    volume: Volume, i: int, coils: int | None = None, size: tuple[int, int] | None = None, calibration: int = 24
) -> Slice:
    """Slice i: readout oversampling removed, k-space cut to `size`, coils compressed, maps and image found."""
    k = crop_readout(volume.kspace(i), (volume.shape[2] - volume.rows) // 2, volume.rows)
    size = None if size == k.shape[-2:] else size
    maps = volume.maps(i) if "maps" in volume.keys and size is None else None
    image = volume.image(i) if "image" in volume.keys and size is None else None
    mask, padding = volume.mask, volume.padding
    if size is not None:
        k, start = centre(volume, k, size), k.shape[-1] // 2 - size[1] // 2
        padding = max(0, padding[0] - start), min(size[1], padding[1] - start)
        mask = None if mask is None else mask[start : start + size[1]]
    if coils is not None and coils < k.shape[1]:
        k, matrix = compress(k, coils)
        maps = None if maps is None else mix(matrix, maps)
    if maps is None:
        maps = espirit(k, calibration) if k.shape[1] > 1 else torch.ones_like(k)
    strength = maps.abs().square().sum(1).sqrt()
    maps = maps / torch.where(strength > 0, strength, 1)[:, None]
    if mask is not None:
        image = torch.zeros_like(k[:, 0])
    elif image is None:
        image = (maps.conj() * ifft2c(k)).sum(1)
    else:
        image = image * strength
    return Slice(k, maps, image, padding, mask)


def centre(volume: Volume, kspace: Tensor, size: tuple[int, int]) -> Tensor:
    """The centre of k-space: the same field of view with larger pixels, scaled so that intensities stay."""
    found = tuple(kspace.shape[-2:])
    if size[0] > found[0] or size[1] > found[1]:
        raise CourseError(f"{volume.path}: size", f"at most {found}", f"{size}", "a smaller size")
    for axis, n, m in zip((-2, -1), size, found):
        kspace = kspace.narrow(axis, m // 2 - n // 2, n) * (n / m) ** 0.5
    return kspace
