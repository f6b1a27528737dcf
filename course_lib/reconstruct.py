"""From a file to a file: every slice of a fastMRI-format volume through a method."""

from pathlib import Path

import torch
from tqdm.auto import tqdm

from . import data
from .errors import CourseError
from .methods.base import Reconstructor
from .sampling import Draw


def reconstruct(model: Reconstructor, source: Path, output: Path, mask: Draw | None = None) -> tuple[int, ...]:
    """Write the magnitude images (slice, height, width) of `source` in fastMRI's submission format; returns the shape.

    A fully sampled file needs a `mask`, a function (width, seed) -> mask; a file that holds one keeps its own. Images
    have the units of the file and the size that its header asks for. Raises `CourseError` for bad input.
    """
    volume = data.read(source)
    if volume.mask is not None and mask is not None:
        raise CourseError(f"{source} is already undersampled", "no mask", "a mask", "leave out --mask")
    if volume.mask is None and mask is None:
        remedy = "--mask equispaced --acceleration 4"
        raise CourseError(f"{source} is fully sampled", "a mask to undersample it with", "none", remedy)
    slices = data.Slices(source, mask, target=False)
    images = []
    for i in tqdm(range(len(slices)), unit="slice", leave=False):
        sample = slices[i]
        measured = slices.prepared(i).kspace * sample.mask
        with torch.no_grad():
            x = model(sample.kspace, sample.A) * data.scale(measured, sample.A)[:, None, None]
        if not x.isfinite().all():
            raise CourseError(f"{source}: slice {i} became infinite or NaN", remedy="another method or other weights")
        images.append(data.crop(x.abs()[0], volume.header.recon[:2]))
    stacked = torch.stack(images)
    data.write_submission(output, stacked)
    return tuple(stacked.shape)
