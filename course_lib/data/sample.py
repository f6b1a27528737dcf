"""One scan as methods see it: undersampled k-space, its mask, coil maps and the image to find."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from ..errors import ShapeError
from ..ops.linear import LinearOperator
from ..ops.sense import Sense
from ..shapes import Image, KSpace
from .phase import smooth_phase


@runtime_checkable
class Problem(Protocol):
    """What evaluation and tuning need to know of a scan: y, A and the image to find. `Sample` is the Cartesian one."""

    @property
    def kspace(self) -> Tensor: ...
    @property
    def A(self) -> LinearOperator: ...
    @property
    def image(self) -> Tensor: ...
    def to(self, device: torch.device | str) -> "Problem": ...


@dataclass(frozen=True)
class Sample:
    """k-space is already multiplied by the mask and divided by its `scale`; the image is in the same units.

    kspace (batch, coil, *extra, height, width); mask (batch or 1, 1, *extra, height or 1, width), 1 = acquired; maps
    (batch or 1, coil, *extra or 1, height, width); image (batch, *extra, height, width).
    """

    kspace: Tensor
    mask: Tensor
    maps: Tensor
    image: Tensor

    @property
    def A(self) -> Sense:
        """The forward model: image -> undersampled k-space."""
        return Sense(self.mask, self.maps)

    def to(self, device: torch.device | str) -> "Sample":
        """The same sample on another device."""
        return Sample(*(part.to(device, non_blocking=True) for part in self._parts()))

    def __len__(self) -> int:
        return len(self.kspace)

    def _parts(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.kspace, self.mask, self.maps, self.image


def stack(samples: list[Sample]) -> Sample:
    """Join samples along the batch axis (the `collate_fn` of a DataLoader). Raises ShapeError if sizes differ.

    One sample is returned as it is, so that it may be of a kind that cannot be joined.
    """
    if len(samples) == 1:
        return samples[0]
    if {type(s) for s in samples} != {Sample}:
        raise ShapeError("samples along spokes cannot be one batch", "batches of 1", f"{len(samples)}", "batch=1")
    if len({s.kspace.shape[1:] for s in samples}) > 1:
        sizes = ", ".join(sorted({str(tuple(s.kspace.shape[1:])) for s in samples}))
        remedy = "batches of 1, or give Slices one `size` and `coils` for all files"
        raise ShapeError("samples of different size cannot be one batch", "one (coil, height, width)", sizes, remedy)
    return Sample(*(torch.cat(_batched(parts, samples)) for parts in zip(*(s._parts() for s in samples))))


def undersample(kspace: KSpace, maps: Tensor, mask: Tensor, image: Image) -> Sample:
    """Take away the samples that `mask` says were not acquired and normalise; `image` is divided by the same number.

    The maps take over the smooth phase of the object (`phase.smooth_phase`), so that the image is almost real.
    """
    y = kspace * mask
    A = Sense(mask, maps)
    size, phase = scale(y, A), smooth_phase(y, A)
    return Sample(y / _over(size, y), mask, maps * phase.unsqueeze(1), image * phase.conj() / _over(size, image))


def scale(y: KSpace, A: LinearOperator) -> Float[Tensor, " batch"]:
    """The 99th percentile of |A^H y| per sample: computed from what was measured, never from the truth.

    It is the smallest value that at least 99 % of the pixels do not exceed; 1 where that value is 0 (an empty slice).
    """
    pixels = A.H(y).abs().flatten(1)
    value = pixels.kthvalue(-(-99 * pixels.shape[1] // 100), dim=1).values
    return torch.where(value > 0, value, 1)


def crop_readout(kspace: KSpace, start: int, rows: int) -> Complex[Tensor, "batch coil *extra {rows} kx"]:
    """The k-space of the image rows start ... start + rows, as if no others had been excited (centred, orthonormal).

    Exact for masks of whole columns: the readout axis (height) is then fully sampled.
    """
    rows_of_image = shifted(torch.fft.ifft(unshifted(kspace, -2), dim=-2, norm="ortho"), -2)
    window = rows_of_image[..., start : start + rows, :]
    return shifted(torch.fft.fft(unshifted(window, -2), dim=-2, norm="ortho"), -2)


def strip(sample: Sample, start: int, rows: int) -> Sample:
    """The sample cut to image rows start ... start + rows: a smaller problem with the same aliasing.

    Legal because columns of k-space are either measured whole or not at all, so rows of the image never mix.
    """
    if sample.mask.shape[-2] != 1:
        found = f"{sample.mask.shape[-2]}"
        raise ShapeError("strips need a mask of whole columns", "mask height 1", found, "strip=None")
    keep = slice(start, start + rows)
    kspace = crop_readout(sample.kspace, start, rows)
    return Sample(kspace, sample.mask, sample.maps[..., keep, :], sample.image[..., keep, :])


def shifted(x: Tensor, axis: int) -> Tensor:
    """Move index 0 to the centre n // 2."""
    return torch.fft.fftshift(x, axis)


def unshifted(x: Tensor, axis: int) -> Tensor:
    """Move the centre n // 2 to index 0."""
    return torch.fft.ifftshift(x, axis)


def _over(size: Tensor, x: Tensor) -> Tensor:
    return size.reshape(-1, *[1] * (x.ndim - 1))


def _batched(parts: tuple[Tensor, ...], samples: list[Sample]) -> list[Tensor]:
    """Masks and maps of batch 1 repeated to the batch of their sample."""
    return [p.expand(len(s), *p.shape[1:]) for p, s in zip(parts, samples)]
