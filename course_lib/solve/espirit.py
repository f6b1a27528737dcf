"""ESPIRiT: coil maps as eigenvectors of the calibration data (Uecker et al., Magn. Reson. Med. 2014).

    windows of the calibration k-space = U S V^H          V_signal: singular values above the threshold
    W = R^H V V^H R / k^2 is a convolution: in the image a coils x coils matrix G(r) at each pixel
    G(r) s(r) = s(r)                                      the maps are the eigenvectors of eigenvalue 1
"""

import torch
from jaxtyping import Complex
from torch import Tensor

from ..errors import CourseError
from ..shapes import KSpace, Maps, Mask

Block = Complex[Tensor, "coil height width"]


def calibration_size(mask: Mask) -> tuple[int, int]:
    """Height and width of the largest fully acquired rectangle around the centre that all samples share.

    It grows in turn by a row and by a column, as long as it stays full; (0, 0) if the centre was not measured.
    """
    acquired = (mask != 0).flatten(0, -3).all(0)
    grow, size = [True, True], [0, 0]
    while any(grow):
        for axis in (0, 1):
            if grow[axis]:
                larger = [max(size[a], 1) + (a == axis and size[a] > 0) for a in (0, 1)]
                fits = larger[axis] <= acquired.shape[axis]
                grow[axis] = fits and bool(_centre(acquired, *larger).all())
                size = larger if grow[axis] else size
    return size[0], size[1]


def espirit(
    kspace: KSpace,
    calibration: int | tuple[int, int] = 24,
    kernel: int = 6,
    threshold: float = 0.02,
    crop: float = 0.95,
    iterations: int = 30,
) -> Maps:
    """Coil maps (batch, coil, height, width) with sum |maps|^2 = 1, and 0 where the eigenvalue is below `crop`.

    kspace: (batch, coil, height, width), fully sampled in its centre; lines not measured are 0. calibration: the
    largest centre to use (height, width); less is used where less was measured. threshold: singular values below
    this part of the largest are noise. crop=0 keeps every pixel. The first principal coil has zero phase.
    """
    size = (calibration, calibration) if isinstance(calibration, int) else calibration
    return torch.stack([_maps(k, size, kernel, threshold, crop, iterations) for k in kspace])


def _maps(kspace: Block, size: tuple[int, int], kernel: int, threshold: float, crop: float, iterations: int) -> Block:
    centre = _measured_centre(kspace, size, kernel)
    lags = _covariance(_signal_kernels(centre, kernel, threshold), kernel)
    G = _evaluate(lags, *kspace.shape[-2:])
    eigenvalue, maps = _dominant(G, iterations)
    maps = maps * _phase(centre, maps)
    return maps * (eigenvalue >= crop)


def _measured_centre(kspace: Block, size: tuple[int, int], kernel: int) -> Block:
    centre = _centre(kspace, *(min(s, n) for s, n in zip(size, kspace.shape[-2:])))
    acquired = (centre != 0).any(0, keepdim=True)[None].float()
    found = calibration_size(acquired)
    if min(found) < kernel:
        raise CourseError(
            "espirit: too few calibration lines",
            expected=f"a fully sampled centre of at least {kernel} x {kernel}",
            found=f"{found[0]} x {found[1]}",
            remedy="give maps, a smaller kernel, or a mask with more lines in its centre",
        )
    return _centre(centre, *found)


def _centre(x: Tensor, height: int, width: int) -> Tensor:
    top, left = x.shape[-2] // 2 - height // 2, x.shape[-1] // 2 - width // 2
    return x[..., top : top + height, left : left + width]


def _signal_kernels(centre: Block, kernel: int, threshold: float) -> Tensor:
    """Orthonormal kernels (coil * kernel^2, n) that span the windows of the calibration data."""
    windows = centre.unfold(1, kernel, 1).unfold(2, kernel, 1)
    rows = windows.permute(1, 2, 0, 3, 4).reshape(-1, centre.shape[0] * kernel**2)
    energy, vectors = torch.linalg.eigh(rows.mT @ rows.conj())
    return vectors[:, energy > threshold**2 * energy[-1]]


def _covariance(kernels: Tensor, kernel: int) -> Tensor:
    """V V^H summed over pairs of equal distance: (coil, coil, 2k - 1, 2k - 1)."""
    coils = kernels.shape[0] // kernel**2
    P = (kernels @ kernels.mH).reshape(coils, kernel, kernel, coils, kernel, kernel)
    lags = P.new_zeros(coils, coils, 2 * kernel - 1, 2 * kernel - 1)
    for i in range(kernel):
        for j in range(kernel):
            lags[:, :, i : i + kernel, j : j + kernel] += P[:, i, j].flip(2, 3)
    return lags / kernel**2


def _evaluate(lags: Tensor, height: int, width: int) -> Tensor:
    """G(r) = sum over lags of lags[l] exp(2 pi i r l), (height, width, coil, coil)."""
    rows, columns = (_waves(lags, n) for n in (height, width))
    return torch.einsum("cdij,ih,jw->hwcd", lags, rows, columns)


def _waves(lags: Tensor, n: int) -> Tensor:
    reach = lags.shape[-1] // 2
    lag = torch.arange(-reach, reach + 1, device=lags.device, dtype=lags.real.dtype)
    position = torch.arange(n, device=lags.device, dtype=lags.real.dtype) - n // 2
    return torch.exp(2j * torch.pi * lag[:, None] * position / n)


def _dominant(G: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Largest eigenvalue (height, width) and eigenvector (coil, height, width) of every pixel by the power method."""
    v = G.sum(-1, keepdim=True)
    for _ in range(iterations):
        v = G @ v
        size = torch.linalg.vector_norm(v, dim=-2, keepdim=True)
        v = v / size
    return size[..., 0, 0], v[..., 0].permute(2, 0, 1)


def _phase(centre: Block, maps: Block) -> Tensor:
    """Factor of size 1 that makes the principal coil of the calibration data real and positive in the maps."""
    data = centre.flatten(1)
    principal = torch.linalg.eigh(data @ data.mH)[1][:, -1]
    return torch.sgn((principal.conj()[:, None, None] * maps).sum(0)).conj()
