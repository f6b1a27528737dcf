"""Reading fastMRI-format files, a slice at a time. What is wrong with a file is said in one line."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor

from ..errors import CourseError
from ..shapes import Image, KSpace, Maps
from .atomic import one_line
from .header import Header, read_header

TARGETS = ("reconstruction_rss", "reconstruction_esc")
AXES = dict.fromkeys((*TARGETS, "image"), "slice height width") | {"maps": "slice coil height width"}


@dataclass(frozen=True)
class Volume:
    """A file that holds still: facts are here, arrays are read when asked for. `i` counts the chosen slices.

    shape: (slice, coil, height, width) of the k-space in the file; coil is 1 for single-coil files.
    keys: names of the data sets in the file. mask: (width,) of a file that is already undersampled, else None.
    """

    path: Path
    header: Header
    shape: tuple[int, int, int, int]
    slices: tuple[int, ...]
    keys: frozenset[str]
    attributes: dict[str, Any] = field(hash=False)
    mask: Tensor | None = field(hash=False)

    def __len__(self) -> int:
        return len(self.slices)

    @property
    def rows(self) -> int:
        """Image rows without readout oversampling."""
        return min(self.header.recon[0], self.shape[2])

    @property
    def padding(self) -> tuple[int, int]:
        """Columns [left, right) were measured."""
        left, right = self.header.padding
        return max(0, left), min(self.shape[3], right)

    @property
    def has_target(self) -> bool:
        """Whether the k-space is fully sampled: the file has a reconstruction and no mask."""
        return self.mask is None and not self.keys.isdisjoint(TARGETS)

    def kspace(self, i: int) -> KSpace:
        """K-space (1, coil, height, width) of a slice, complex64. Raises CourseError for NaN or infinity."""
        k = torch.from_numpy(self._read("kspace", i).astype(np.complex64)).reshape(1, *self.shape[1:])
        if not k.isfinite().all():
            what, remedy = f"{self.path}: kspace of slice {self.slices[i]}", "get the file again, or leave it out"
            raise CourseError(what, "finite samples", "NaN or infinity", remedy)
        return k

    def maps(self, i: int) -> Maps:
        """Coil maps (1, coil, rows, width) of a slice, from the file."""
        maps = torch.from_numpy(self._read("maps", i).astype(np.complex64))[None]
        return self._fits("maps", maps, (1, self.shape[1], self.rows, self.shape[3]))

    def image(self, i: int) -> Image:
        """The true image (1, rows, width) of a slice, from a file that has one."""
        image = torch.from_numpy(self._read("image", i).astype(np.complex64))[None]
        return self._fits("image", image, (1, self.rows, self.shape[3]))

    def reconstruction(self, i: int) -> Tensor:
        """The reconstruction (height, width) of a slice that fastMRI scores against, float32."""
        require_target(self)
        name = next(name for name in ("reconstruction_esc", "reconstruction_rss") if name in self.keys)
        return torch.from_numpy(self._read(name, i).astype(np.float32))

    def _read(self, name: str, i: int) -> np.ndarray:
        with opened(self.path) as file:
            array = dataset(file, name)
            return array[self.slices[i] if len(array) > 1 else 0]

    def _fits(self, name: str, array: Tensor, shape: tuple[int, ...]) -> Tensor:
        if array.shape != shape:
            remedy = f"write the {name} for the image without readout oversampling, or leave them out"
            raise CourseError(f"{self.path}: {name} of a slice", f"{shape}", f"{tuple(array.shape)}", remedy)
        return array


def read(path: str | Path, slices: Sequence[int] | None = None) -> Volume:
    """Open a file: structure and header are checked, no slice is read. `slices` chooses some of them.

    Raises CourseError for a file that is damaged, not HDF5, lacks a key, or holds arrays of other shapes.
    """
    path = Path(path)
    with opened(path) as file:
        keys = frozenset(file)
        for key in ("kspace", "ismrmrd_header"):
            if key not in keys:
                found = ", ".join(sorted(keys)) or "nothing"
                raise CourseError(f"{path}: a key is missing", key, found, "use a file in fastMRI's format")
        shape = _shape(path, dataset(file, "kspace"))
        for name, axes in AXES.items():
            if name in keys:
                _check_axes(path, name, dataset(file, name).shape, axes, shape[0])
        header = read_header(dataset(file, "ismrmrd_header")[()], path)
        mask = _mask(path, dataset(file, "mask")[()], shape[3]) if "mask" in keys else None
        chosen = tuple(range(shape[0])) if slices is None else tuple(slices)
        if not all(0 <= i < shape[0] for i in chosen):
            raise CourseError(f"{path}: slices", f"numbers from 0 to {shape[0] - 1}", f"{chosen}", "choose others")
        return Volume(path, header, shape, chosen, keys, dict(file.attrs), mask)


def check_file(path: str | Path, target: bool = True) -> Volume:
    """Read all of a file once, slice by slice; raises CourseError if something is wrong, else returns the volume.

    With `target` the file must also be fully sampled, as files of the train and val splits are.
    """
    volume = read(path)
    if target:
        require_target(volume)
    for i in range(len(volume)):
        volume.kspace(i)
        for name, get in (("maps", volume.maps), ("image", volume.image)):
            if name in volume.keys:
                get(i)
        if target and not volume.reconstruction(i).isfinite().all():
            what = f"{volume.path}: reconstruction of slice {i}"
            raise CourseError(what, "finite values", "NaN or infinity", "get the file again, or leave it out")
    return volume


def require_target(volume: Volume) -> None:
    """Raise CourseError if the file holds no truth to train on or to compare with."""
    if not volume.has_target:
        found = "an undersampled file of the test split" if volume.mask is not None else "no reconstruction"
        remedy = "use files of the train or val split, or ask for no target (target=False)"
        raise CourseError(f"{volume.path} has no target", "fully sampled k-space with a reconstruction", found, remedy)


@contextmanager
def opened(path: str | Path) -> Iterator[h5py.File]:
    """A file open for reading; what HDF5 says goes wrong becomes one line. Whole-file writing makes locks needless."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except FileNotFoundError as error:
        raise CourseError(f"{path}: no such file", remedy="check the path") from error
    except (OSError, RuntimeError) as error:
        remedy = "get or write the file again"
        raise CourseError(f"{path} cannot be read", "a whole HDF5 file", one_line(error), remedy) from error


def dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """An array in an open file; what is a group of that name is an error."""
    found = file[name]
    if not isinstance(found, h5py.Dataset):
        raise CourseError(f"{file.filename}: {name}", "an array", "a group", "use a file in fastMRI's format")
    return found


def _shape(path: Path, kspace: h5py.Dataset) -> tuple[int, int, int, int]:
    if kspace.dtype.kind != "c":
        remedy = "join the two parts into complex64: real + 1j * imag"
        raise CourseError(f"{path}: kspace", "complex numbers", f"{kspace.dtype} {kspace.shape}", remedy)
    if kspace.ndim not in (3, 4) or 0 in kspace.shape:
        wanted = "(slice, coil, height, width) or (slice, height, width)"
        raise CourseError(f"{path}: kspace", wanted, f"{kspace.shape}", "write the file again with these axes")
    s, *coil, h, w = kspace.shape
    return s, coil[0] if coil else 1, h, w


def _check_axes(path: Path, name: str, found: tuple[int, ...], axes: str, slices: int) -> None:
    if len(found) != len(axes.split()) or found[0] not in (slices, 1):
        wanted = f"({axes}) with {slices} slices as in kspace"
        raise CourseError(f"{path}: {name}", wanted, f"{found}", "write the file again")


def _mask(path: Path, mask: np.ndarray, width: int) -> Tensor:
    if mask.shape != (width,):
        raise CourseError(f"{path}: mask", f"({width},), as wide as kspace", f"{mask.shape}", "write the file again")
    if not mask.any():
        raise CourseError(f"{path}: mask", "at least one acquired column", "zeros only", "write the file again")
    return torch.from_numpy(mask != 0).float()
