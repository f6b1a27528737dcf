"""The data set that ships with the course: real anatomy and a real scan, made into fastMRI files on first use.

train, val, test are simulated (simulate.py) from different persons; `real` is a scan that was never simulated. Files
are made once per profile and kept in the user's cache (cache.py). Each depends only on its own seed.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from .. import profiles
from ..errors import CourseError
from ..solve.calibrate import compress, espirit
from ..threads import one_thread
from . import cache, fastmri, simulate
from .atomic import one_line
from .cache import Make

SUBJECTS = {"train": ("colin27", "s1"), "val": ("heart", "abdomen", "shoulder"), "test": ("pd",)}  # split by subject
SHIPPED = Path(__file__).parents[2] / "data"
ACQUISITION = {"colin27": "AXT1", "s1": "AXT1", "pd": "AXPD", "heart": "CINE", "abdomen": "AXABD", "shoulder": "CORPD"}


@dataclass(frozen=True)
class Profile:
    """Sizes of a data set: pixels, coils, and for each split (volumes, slices in each)."""

    size: int
    coils: int
    volumes: dict[str, tuple[int, int]]


PROFILES = {
    "ci": Profile(64, 4, {"train": (4, 3), "val": (3, 2), "test": (2, 2)}),
    "cpu": Profile(128, 8, {"train": (50, 6), "val": (6, 4), "test": (3, 4)}),
    "gpu": Profile(224, 13, {"train": (40, 6), "val": (6, 4), "test": (3, 4)}),
}


def root(profile: str | None = None) -> Path:
    """Folder of the data set in use: what COURSE_DATA names, else the embedded one (made first when it is missing)."""
    named = os.environ.get("COURSE_DATA")
    if named and _has_layout(_named(named)):
        return _named(named)
    return prepare(profiles.profile(profile).name)


def prepare(
    profile: str = "cpu", root: str | Path | None = None, progress: bool = True, thorough: bool = False
) -> Path:
    """Make the embedded data set where it is missing or damaged; returns its folder.

    profile: "ci", "cpu" or "gpu". root: the folder to use (default: one in COURSE_DATA or the user's cache whose name
    holds the code's version). Files are trusted by size and time, and by sha256 where the time differs; with `thorough`
    always by sha256. Raises CourseError, one line, when the folder cannot be written or shipped arrays are damaged.
    """
    if profile not in PROFILES:
        raise CourseError("unknown profile", ", ".join(PROFILES), profile, "set COURSE_PROFILE to one of these")
    folder = Path(root) if root else _home() / f"embedded-{profile}-{version(profile)}"
    with one_thread():  # on these small arrays more threads cost more than they give
        cache.fill(folder, plan(profile), f"data set {profile}", progress, thorough)
    return folder


def plan(profile: str) -> dict[str, Make]:
    """Every file of the data set, relative to its folder, and what makes it."""
    sizes = PROFILES[profile]
    files: dict[str, Make] = {}
    for split, subjects in SUBJECTS.items():
        volumes, slices = sizes.volumes[split]
        for i in range(volumes):
            subject = subjects[i % len(subjects)]
            share = len(range(i % len(subjects), volumes, len(subjects)))
            part = (i // len(subjects), share, slices)
            name = f"{split}/{subject}_{i:03d}.h5"
            seed = int.from_bytes(hashlib.sha256(f"{profile}/{split}/{i}".encode()).digest()[:7])
            files[name] = partial(_write_simulated, subject, part, sizes, seed, split == "train")
    return files | {f"real/flash_{i}.h5": partial(_write_real, i, sizes) for i in range(5)}


def version(profile: str) -> str:
    """Twelve letters that change when the code that makes the files, or an array it starts from, changes."""
    digest = hashlib.sha256(profile.encode())
    code = Path(__file__).parents[1]
    for module in ("data/embedded", "data/simulate", "data/fastmri", "data/header", "solve/calibrate", "solve/espirit"):
        digest.update((code / f"{module}.py").read_bytes())
    for name in ("anatomy", "real"):
        with _shipped(name) as path, ZipFile(path) as archive:
            digest.update(repr([(member.filename, member.CRC) for member in archive.infolist()]).encode())
    return digest.hexdigest()[:12]


# ---------------------------------------------------------------- what the files hold
@contextmanager
def _shipped(name: str) -> Iterator[Path]:
    """The path of a shipped file of arrays; an error while it is read says what to do."""
    path = SHIPPED / f"{name}.npz"
    try:
        yield path
    except (OSError, BadZipFile, KeyError, ValueError) as error:
        remedy = "get the file again: git checkout -- data, or python data/build.py"
        raise CourseError(f"{path} cannot be read", "the arrays of the course", one_line(error), remedy) from error


def arrays(name: str) -> dict[str, np.ndarray]:
    """The arrays of the shipped file data/NAME.npz ("anatomy", "radial" or "real"; see PROVENANCE.md)."""
    with _shipped(name) as path, np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


@lru_cache
def anatomy(subject: str) -> Tensor:
    """Slices (slice, rows, columns) of a subject, upright, float32; 1 = the brightest half percent."""
    with _shipped("anatomy") as path, np.load(path, allow_pickle=False) as file:
        slices = torch.from_numpy(file[subject].astype(np.float32))
    return (slices / slices.flatten().kthvalue(int(0.995 * slices.numel())).values).clamp(max=1.5)


@lru_cache
def scanner() -> simulate.Scanner:
    """Coil maps and noise of the real scan."""
    with _shipped("real") as path, np.load(path, allow_pickle=False) as file:
        covariance = torch.from_numpy(file["covariance"].astype(np.complex64))
        return simulate.Scanner(torch.from_numpy(file["modes"]), covariance)


def real_scan() -> tuple[Tensor, list[int]]:
    """K-space (flip angle, coil, height, width) of the real scan in the scanner's units, and the angles in degrees."""
    file = arrays("real")
    k = file["kspace"].astype(np.float32) * np.float32(file["step"])
    return torch.complex(*torch.from_numpy(k)), file["flip_angle"].tolist()


def _write_simulated(
    subject: str, part: tuple[int, int, int], sizes: Profile, seed: int, augment: bool, path: Path
) -> None:
    slices = anatomy(subject)[_pick(len(anatomy(subject)), part, seed, augment)]
    scan = simulate.scan(slices, scanner(), sizes.size, sizes.coils, seed, augment)
    maps = scan.maps * support(scan.image).unsqueeze(1)
    extra = {"maps": maps, "image": scan.image, "covariance": scan.covariance}
    _write(path, scan.kspace, ACQUISITION[subject], subject, extra)


def support(image: Tensor) -> Tensor:
    """1 in and around tissue, else 0, (slice, height, width): where a calibration scan can find maps."""
    magnitude = image.abs()
    tissue = (magnitude > 0.1 * magnitude.flatten(1).quantile(0.99, 1)[:, None, None]).float()
    margin = image.shape[-1] // 32
    return max_pool2d(tissue, 2 * margin + 1, stride=1, padding=margin)


def _pick(total: int, part: tuple[int, int, int], seed: int, augment: bool) -> Tensor:
    """Which slices a volume holds: a random run with gaps to train on, else its share of evenly spread ones."""
    index, share, slices = part
    if not augment:
        return torch.linspace(0, total - 1, max(share, min(total, share * slices))).long()[index::share]
    slices = min(slices, total)
    g = torch.Generator().manual_seed(seed)
    step = int(torch.randint(1, 1 + max(1, min(4, (total - 1) // max(1, slices - 1))), (), generator=g))
    first = int(torch.randint(0, total - step * (slices - 1), (), generator=g))
    return first + step * torch.arange(slices)


def _write_real(index: int, sizes: Profile, path: Path) -> None:
    """One flip angle: k-space cut to the profile's size, coils compressed, noise as it came from the scanner.

    The scan has no readout oversampling left; for one format its field of view is doubled with empty space.
    """
    scans, degrees = real_scan()
    k = simulate.cut(simulate.cut(scans[index : index + 1], sizes.size, -1), sizes.size, -2)
    k, matrix = compress(k, sizes.coils)
    covariance = matrix[0] @ scanner().covariance @ matrix[0].mH
    extra = {"maps": espirit(k), "covariance": covariance}
    _write(path, simulate.oversampled(k), f"AXFLASH{degrees[index]:02d}", "real", extra)


def _write(path: Path, kspace: Tensor, acquisition: str, subject: str, extra: dict[str, Tensor]) -> None:
    patient = hashlib.sha256(subject.encode()).hexdigest()
    fastmri.write(path, kspace.numpy(), acquisition, patient, {name: x.numpy() for name, x in extra.items()})


# ---------------------------------------------------------------- where they lie
def _has_layout(folder: Path) -> bool:
    """Does the folder hold train, val or test files itself?"""
    return any(next((folder / split).glob("*.h5"), None) for split in ("train", "val", "test"))


def _named(name: str) -> Path:
    """The folder that COURSE_DATA means: a path, or the name of a data set in the cache."""
    for folder in (Path(name).expanduser(), _cache() / name):
        if folder.is_dir():
            return folder
    raise CourseError(f"COURSE_DATA={name}", "a folder", "none", "correct it, make the folder, or unset COURSE_DATA")


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "course_lib"


def _home() -> Path:
    """Where the embedded data set goes: the user's cache, or COURSE_DATA if that is empty or was used so before."""
    named = os.environ.get("COURSE_DATA")
    if not named or _has_layout(_named(named)):
        return _cache()
    folder = _named(named)
    if any(folder.iterdir()) and not any(folder.glob("embedded-*")):
        found = ", ".join(sorted(child.name for child in folder.iterdir())[:4])
        remedy = "make train, val and test (python -m course_lib prepare fastmri), or name an empty folder"
        raise CourseError(f"COURSE_DATA={named}", "train, val or test folders with .h5 files", found, remedy)
    return folder
