"""ESPIRiT: coil maps as eigenvectors of the calibration data (Uecker et al., Magn. Reson. Med. 2014).

    windows of the calibration k-space = U S V^H       V: the rows of V^H whose singular value is above the threshold
    projecting each window of k-space on V and averaging the overlaps is a convolution;
    in the image it is a small matrix at each pixel:   G(r) s(r) = s(r)         the maps: eigenvectors of eigenvalue 1

G has only 2k - 1 frequencies along an axis, so the maps are smooth: the eigenvectors are computed on a coarse grid and
interpolated, which is exact to about 1e-5 where there is signal and hundreds of times faster.
"""

import torch
from torch import Tensor

from ..errors import CourseError
from ..shapes import KSpace, Maps, Mask

GRID, TAPS = 7, 6  # points of the coarse grid per frequency of G; points used by the interpolation


def calibration_size(mask: Mask) -> tuple[int, int]:
    """Height and width of the fully acquired rectangle around the centre that all samples share.

    It grows in turn by a row and by a column, as long as it stays full; (0, 0) if the centre was not acquired.
    """
    acquired = (mask != 0).flatten(0, -3).all(0)
    if not _centre(acquired, 1, 1).all():
        return 0, 0
    size, grows = [1, 1], [True, True]
    while any(grows):
        for axis in (0, 1):
            larger = [n + (a == axis) for a, n in enumerate(size)]
            grows[axis] = larger[axis] <= acquired.shape[axis] and bool(_centre(acquired, *larger).all())
            size = larger if grows[axis] else size
    return size[0], size[1]


def espirit(
    kspace: KSpace,
    calibration: int | tuple[int, int] = 24,
    kernel: int = 6,
    threshold: float = 0.02,
    crop: float = 0.95,
) -> Maps:
    """Coil maps (batch, coil, height, width) with sum |maps|^2 = 1, and 0 where the eigenvalue is below `crop`.

    kspace: (batch, coil, height, width), full in its centre; samples that were not acquired are 0. calibration: the
    largest centre to use, one number or (height, width); less is used where less was acquired. threshold: singular
    values below this part of the largest are noise. crop=0 keeps every pixel. The principal coil of the calibration
    data has phase zero. Raises `CourseError` when the acquired centre is smaller than the kernel.
    """
    size = (calibration, calibration) if isinstance(calibration, int) else calibration
    return torch.stack([_maps(one, size, kernel, threshold, crop) for one in kspace])


def _maps(kspace: Tensor, size: tuple[int, int], kernel: int, threshold: float, crop: float) -> Tensor:
    full = kspace.shape[-2:]
    centre = _acquired_centre(kspace, size, kernel)
    lags = _covariance(_signal(centre, kernel, threshold), kernel)
    coarse = [min(n, GRID * (2 * kernel - 1)) for n in full]
    values, vectors = torch.linalg.eigh(_matrices(lags, coarse, full))
    maps = vectors[..., -1].movedim(-1, 0)
    data = centre.flatten(1)
    principal = torch.linalg.eigh(data @ data.mH)[1][:, -1]
    maps = maps * torch.sgn(torch.tensordot(principal.conj(), maps, 1)).conj()
    maps = torch.nn.functional.normalize(_interpolate(maps, full), dim=0)
    return maps * (_interpolate(values[..., -1], full) >= crop)


def _acquired_centre(kspace: Tensor, size: tuple[int, int], kernel: int) -> Tensor:
    centre = _centre(kspace, *(min(s, n) for s, n in zip(size, kspace.shape[-2:])))
    found = calibration_size((centre != 0).any(0)[None, None].float())
    if min(found) < kernel:
        raise CourseError(
            "espirit: too few calibration lines",
            expected=f"a fully acquired centre of k-space of at least {kernel} x {kernel}",
            found=f"{found[0]} x {found[1]}",
            remedy="give coil maps, use a smaller kernel, or acquire more lines in the centre",
        )
    return _centre(centre, *found)


def _centre(x: Tensor, height: int, width: int) -> Tensor:
    top, left = x.shape[-2] // 2 - height // 2, x.shape[-1] // 2 - width // 2
    return x[..., top : top + height, left : left + width]


def _signal(centre: Tensor, kernel: int, threshold: float) -> Tensor:
    """Orthonormal vectors (coil * kernel^2, n) that span the windows of the calibration data without its noise."""
    windows = centre.unfold(1, kernel, 1).unfold(2, kernel, 1)
    rows = windows.permute(1, 2, 0, 3, 4).reshape(-1, centre.shape[0] * kernel**2)
    tall = rows.shape[0] > rows.shape[1]
    energy, vectors = torch.linalg.eigh(rows.mT @ rows.conj() if tall else rows.conj() @ rows.mT)
    kept = energy > threshold**2 * energy[-1]
    return vectors[:, kept] if tall else rows.mT @ (vectors[:, kept] / energy[kept].sqrt())


def _covariance(signal: Tensor, kernel: int) -> Tensor:
    """V V^H summed over pairs of window elements of equal distance: (2k - 1, 2k - 1, coil, coil)."""
    coils = signal.shape[0] // kernel**2
    P = (signal @ signal.mH).reshape(coils, kernel, kernel, coils, kernel, kernel).permute(1, 2, 4, 5, 0, 3)
    lags = P.new_zeros(2 * kernel - 1, 2 * kernel - 1, coils, coils)
    for i in range(kernel):
        for j in range(kernel):
            lags[i : i + kernel, j : j + kernel] += P[i, j].flip(0, 1)
    return lags / kernel**2


def _matrices(lags: Tensor, coarse: list[int], full: torch.Size) -> Tensor:
    """G(r) = sum over lags l of lags[l] exp(2 pi i r l) on the coarse grid: (height, width, coil, coil)."""
    rows, columns = (_waves(lags, *sizes) for sizes in zip(coarse, full))
    along_width = columns @ lags.flatten(2)
    return (rows @ along_width.flatten(1)).reshape(*coarse, *lags.shape[2:])


def _waves(lags: Tensor, coarse: int, full: int) -> Tensor:
    """exp(2 pi i r l) for each place r of the coarse grid, 0 at pixel full // 2, and each lag l: (coarse, lag)."""
    place = (torch.arange(coarse, dtype=torch.float64) + 0.5) / coarse - (full // 2 + 0.5) / full
    lag = torch.arange(lags.shape[0], dtype=torch.float64) - lags.shape[0] // 2
    return torch.exp(2j * torch.pi * place[:, None] * lag).to(lags)


def _interpolate(x: Tensor, size: torch.Size) -> Tensor:
    """A coarse grid (..., h, w), periodic, at the pixels of an image of this size."""
    rows, columns = (_lagrange(coarse, full).to(x) for coarse, full in zip(x.shape[-2:], size))
    return rows @ (x @ columns.mT)


def _lagrange(coarse: int, full: int) -> Tensor:
    """Matrix (full, coarse) of the polynomial through the nearest `TAPS` points; both grids cover the same field."""
    place = (torch.arange(full, dtype=torch.float64) + 0.5) * coarse / full - 0.5
    first = place.floor().long() - (TAPS // 2 - 1)
    matrix = torch.zeros(full, coarse, dtype=torch.float64)
    for tap in range(TAPS):
        others = [k for k in range(TAPS) if k != tap]
        weight = torch.stack([(place - first - k) / (tap - k) for k in others]).prod(0)
        matrix[torch.arange(full), (first + tap) % coarse] += weight
    return matrix
