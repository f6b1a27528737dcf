"""A small piece of a large data set: some volumes, their central slices, in the same format."""

from pathlib import Path

import h5py
import numpy as np

from ..errors import CourseError
from .atomic import whole
from .fastmri import facts
from .volume import Volume, dataset, opened, read

SPLITS = {"train": "train", "val": "val", "test": "test", "challenge": "test"}


def subset(src: str | Path, out: str | Path, volumes: int, slices: int | None = None, seed: int = 0) -> list[Path]:
    """Copy `volumes` volumes of each split, drawn with `seed`, and of each the `slices` central slices (all if None).

    src: a folder of fastMRI's (`multicoil_train`, ...), or one that holds several. out: gets train, val, test. Header,
    attributes and masks are kept; norm and max are computed anew for the slices kept. A volume is copied slice by
    slice. Files that a former, interrupted call has finished are left as they are. Returns the paths of all files.
    """
    src, out = Path(src), Path(out)
    if volumes < 1 or (slices is not None and slices < 1):
        raise CourseError("subset", "volumes and slices of at least 1", f"{volumes=}, {slices=}", "larger numbers")
    if src.resolve() == out.resolve():
        raise CourseError("subset", "an output folder other than the source", f"{out}", "another --out")
    written = []
    for split, folder in sources(src).items():
        files = sorted(folder.glob("*.h5"))
        chosen = np.random.RandomState(seed).permutation(len(files))[:volumes]
        written += [_copy(files[i], out / split / files[i].name, slices) for i in sorted(chosen)]
    return written


def sources(src: Path) -> dict[str, Path]:
    """The folder of each split: `src` itself if it holds .h5 files, else the folders in it that do."""
    folders = [f for f in (src, *sorted(src.glob("*/"))) if next(f.glob("*.h5"), None)]
    if not folders:
        raise CourseError(f"{src}: no data", "fastMRI's .h5 files, or folders of them", "none", "correct --src")
    found: dict[str, Path] = {}
    for folder in folders:
        split = next((to for word, to in SPLITS.items() if word in folder.name.lower()), None)
        if split is None:
            remedy = "rename it as fastMRI does, for example multicoil_train"
            raise CourseError(f"{folder}", "train, val, test or challenge in the name", folder.name, remedy)
        if split in found:
            names = f"{found[split].name} and {folder.name}"
            raise CourseError(f"{src}: two folders for {split}", "one", names, "give one of them as --src")
        found[split] = folder
    return found


def central(total: int, wanted: int | None) -> range:
    """Numbers of the `wanted` slices in the middle of `total`."""
    wanted = min(total, wanted or total)
    return range((total - wanted) // 2, (total - wanted) // 2 + wanted)


def _copy(source: Path, to: Path, slices: int | None) -> Path:
    volume = read(source)
    volume = read(source, central(volume.shape[0], slices))
    if to.exists():
        if read(to).shape != (len(volume), *volume.shape[1:]):
            remedy = "another --out, or remove the file"
            raise CourseError(f"{to} is there", f"{len(volume)} slices", f"{read(to).shape[0]}", remedy)
        return to
    with opened(source) as old, whole(to) as part, h5py.File(part, "w") as new:
        new.attrs.update(old.attrs)
        for name in volume.keys:
            _copy_array(dataset(old, name), new, name, volume)
        if volume.has_target:
            name = next(n for n in ("reconstruction_esc", "reconstruction_rss") if n in old)
            new.attrs.update(facts(dataset(new, name)[()]))
    return to


def _copy_array(old: h5py.Dataset, new: h5py.File, name: str, volume: Volume) -> None:
    """Whole if it does not go along the slices (header, mask), else the chosen slices one by one."""
    along = name not in ("ismrmrd_header", "mask") and old.ndim > 2 and len(old) == volume.shape[0]
    if not along:
        new[name] = old[()]
        return
    array = new.create_dataset(name, (len(volume), *old.shape[1:]), old.dtype)
    for to, i in enumerate(volume.slices):
        array[to] = old[i]
