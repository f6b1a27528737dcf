"""Writing the fastMRI file format (Zbontar et al., arXiv 1811.08839). `volume.py` reads it.

k-space (slice, [coil,] height, width) is centred; height = readout, 2x oversampled; width = phase encoding.
"""

from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from ..errors import CourseError
from ..ops.sense import ifft2c
from .atomic import whole
from .header import Header, make_header, write_header


def write(
    path: str | Path,
    kspace: np.ndarray,
    acquisition: str,
    patient_id: str,
    extra: dict[str, np.ndarray] | None = None,
    recon: tuple[int, int] | None = None,
    padding: tuple[int, int] | None = None,
    voxel: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Path:
    """Write a fully sampled volume: k-space, its reconstruction, header and attributes.

    kspace: (slice, coil, height, width), or (slice, height, width) for a single coil. extra: more data sets, as `maps`
    (slice or 1, coil, height / 2, width) and the noise-free `image` (slice, height / 2, width); maps that are the same
    in all slices are stored once. recon: size of the reconstruction, by default (height / 2, width). padding: columns
    [left, right) were measured; by default all but the zero columns at the two edges. voxel: size in mm. The file
    appears whole or not at all. Raises CourseError for bad arrays and when the file cannot be written.
    """
    _check(path, kspace)
    height, width = kspace.shape[-2:]
    header = make_header((height, width), recon or (height // 2, width), padding or measured_columns(kspace), voxel)
    image = reconstruction(kspace, header.recon[:2])
    names = ["reconstruction_rss"] if kspace.ndim == 4 else ["reconstruction_esc", "reconstruction_rss"]
    arrays = {"kspace": kspace.astype(np.complex64, copy=False), **dict.fromkeys(names, image), **(extra or {})}
    if "maps" in arrays and (arrays["maps"] == arrays["maps"][:1]).all():
        arrays["maps"] = arrays["maps"][:1]
    return _save(path, arrays, header, facts(image) | _who(acquisition, patient_id))


def write_test(
    path: str | Path,
    kspace: np.ndarray,
    mask: np.ndarray,
    acquisition: str,
    patient_id: str,
    acceleration: int,
    num_low_frequency: int,
    recon: tuple[int, int] | None = None,
    padding: tuple[int, int] | None = None,
    voxel: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Path:
    """Write a volume of the test split: `kspace`, as for `write`, times `mask` (width,), and no reconstruction."""
    _check(path, kspace)
    height, width = kspace.shape[-2:]
    if mask.shape != (width,):
        raise CourseError(f"{path}: mask", f"({width},), a value per column", f"{mask.shape}", "make one as wide")
    header = make_header((height, width), recon or (height // 2, width), padding, voxel)
    arrays = {"kspace": (kspace * (mask != 0)).astype(np.complex64), "mask": mask != 0}
    numbers = {"acceleration": acceleration, "num_low_frequency": num_low_frequency}
    return _save(path, arrays, header, numbers | _who(acquisition, patient_id))


def write_submission(path: str | Path, reconstruction: np.ndarray | Tensor) -> Path:
    """Write magnitude images (slice, height, width) as fastMRI's leaderboard and `fastmri.evaluate` read them."""
    images = np.abs(np.asarray(reconstruction)).astype(np.float32)
    if images.ndim != 3:
        raise CourseError(f"{path}: reconstruction", "(slice, height, width)", f"{images.shape}", "stack the slices")
    with whole(path) as part, h5py.File(part, "w") as file:
        file["reconstruction"] = images
    return Path(path)


def reconstruction(kspace: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Root-sum-of-squares images (slice, *size), float32, one slice at a time; axes shorter than `size` stay whole."""
    slices = (torch.from_numpy(np.ascontiguousarray(k, np.complex64)) for k in kspace)
    images = [crop(ifft2c(k).abs().reshape(-1, *k.shape[-2:]).square().sum(0).sqrt(), size) for k in slices]
    return torch.stack(images).numpy()


def crop(image: Tensor, size: tuple[int, int]) -> Tensor:
    """The centre (..., *size) of images, from (N - size) // 2 as in fastMRI; axes shorter than `size` stay whole."""
    for axis, n in zip((-2, -1), size):
        n = min(n, image.shape[axis])
        image = image.narrow(axis, (image.shape[axis] - n) // 2, n)
    return image


def facts(image: np.ndarray) -> dict[str, float]:
    """The attributes `norm` and `max` of a reconstructed volume."""
    return {"norm": float(np.linalg.norm(image)), "max": float(image.max())}


def measured_columns(kspace: np.ndarray) -> tuple[int, int]:
    """[left, right): all columns but those at the edges that are zero in every slice and coil."""
    used = np.flatnonzero(np.any([(k != 0).reshape(-1, k.shape[-1]).any(0) for k in kspace], axis=0))
    return int(used[0]), int(used[-1]) + 1


def _check(path: str | Path, kspace: np.ndarray) -> None:
    if kspace.ndim not in (3, 4) or 0 in kspace.shape:
        found, wanted = f"{kspace.shape}", "(slice, coil, height, width) or (slice, height, width)"
        raise CourseError(f"{path}: kspace", wanted, found, "add or take away an axis")
    if not np.iscomplexobj(kspace):
        raise CourseError(f"{path}: kspace", "complex numbers", f"{kspace.dtype}", "join the parts: real + 1j * imag")
    if not all(np.isfinite(k).all() for k in kspace):
        raise CourseError(f"{path}: kspace", "finite samples", "NaN or infinity", "correct them; nothing was written")
    if not kspace.any():
        raise CourseError(f"{path}: kspace", "a signal", "zeros only", "look where the array comes from")


def _who(acquisition: str, patient_id: str) -> dict[str, str]:
    return {"acquisition": acquisition, "patient_id": patient_id}


def _save(path: str | Path, arrays: dict[str, np.ndarray], header: Header, attributes: dict) -> Path:
    with whole(path) as part, h5py.File(part, "w") as file:
        for name, array in arrays.items():
            file[name] = array
        file["ismrmrd_header"] = write_header(header)
        file.attrs.update(attributes)
    return Path(path)
