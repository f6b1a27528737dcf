"""Point spread functions: the image of a single point, seen through a sampling pattern.

Undersampling replaces every pixel by this spread, so it says what artefacts look like: copies, noise, streaks or blur.
For compressed sensing it should be noise (Lustig, Donoho & Pauly, Magn. Reson. Med. 2007).
"""

from collections.abc import Callable
from math import pi

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from ..errors import CourseError

Transform = Callable[[Tensor], Tensor]  # (1, height, width) -> the same shape


def psf(mask: Tensor) -> Tensor:
    """The image of a point at (H // 2, W // 2), peak 1, shape of the mask (..., height or 1, width)."""
    spread = _shifted(torch.fft.ifft2(_unshifted(mask)))
    return spread / spread.abs().amax((-2, -1), keepdim=True)


def trajectory_psf(
    trajectory: Float[Tensor, "spokes samples 2"],
    shape: tuple[int, int],
    weights: Float[Tensor, "spokes samples"] | None = None,
) -> Complex[Tensor, "1 1 height width"]:
    """The same for samples anywhere, sum_j w_j exp(2 pi i k_j . r), written out; the peak is 1.

    trajectory in cycles per pixel along (H, W). weights: density compensation, as `ops.ramp`; without, all samples
    count the same, and the crowded centre blurs.
    """
    flat = trajectory.flatten(0, 1)
    w = torch.ones_like(flat[:, 0]) if weights is None else weights.flatten().to(flat)
    rows, columns = (
        torch.exp(2j * pi * k[:, None] * (torch.arange(n, device=flat.device) - n // 2))
        for k, n in zip(flat.unbind(1), shape)
    )
    return ((w[:, None] * rows).mT @ columns)[None, None] / w.sum()


def transform_psf(mask: Tensor, analyse: Transform, synthesise: Transform, at: tuple[int, int]) -> Tensor:
    """Lustig's TPSF: what one coefficient of a transform becomes, in coefficients (1, height, width), peak 1.

    mask (1, 1, height or 1, width); analyse, synthesise: an orthonormal transform and its inverse, as `Wavelet()` and
    `Wavelet().H`, whose coefficients have the shape of the image, square for masks of columns. at: (row, column).
    """
    width = mask.shape[-1]
    one = torch.zeros(1, mask.shape[-2] if mask.shape[-2] > 1 else width, width, device=mask.device)
    one[0, *at] = 1
    image = synthesise(torch.complex(one, 0 * one))
    seen = _shifted(torch.fft.ifft2(_unshifted(mask[:, 0] * _shifted(torch.fft.fft2(_unshifted(image))))))
    spread = analyse(seen)
    return spread / spread[0, *at].abs()


def side_lobe(spread: Tensor, at: tuple[int, int] | None = None, beyond: float = 0.0) -> float:
    """Lustig's side-lobe-to-peak ratio: the largest |spread| more than `beyond` pixels from the peak, over the peak.

    spread: (..., height, width), one pattern. at: where the peak is, by default the centre. With beyond = 0 all but the
    peak counts, its own width too: blur.
    """
    plane = spread.abs().reshape(-1, *spread.shape[-2:])
    if len(plane) != 1:
        raise CourseError("side_lobe", "one point spread function", f"{tuple(spread.shape)}", "pick one, as x[:1]")
    height, width = plane.shape[-2:]
    row, column = at or (height // 2, width // 2)
    rows, columns = torch.arange(height, device=plane.device), torch.arange(width, device=plane.device)
    distance = torch.hypot((rows[:, None] - row).float(), (columns - column).float())
    return float((plane[0] * (distance > beyond)).max() / plane[0, row, column])


def _shifted(x: Tensor) -> Tensor:
    return torch.fft.fftshift(x, (-2, -1))


def _unshifted(x: Tensor) -> Tensor:
    return torch.fft.ifftshift(x, (-2, -1))
