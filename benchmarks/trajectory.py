"""Golden-angle spokes and the non-uniform Fourier sum on them in complex128: what every NUFFT is compared with."""

import torch
from torch import Tensor

from course_lib.sampling import golden_angle

from .harness import Scale

CHUNK = 4096  # samples at a time: the waves of all would not fit into memory


def spokes(scale: Scale) -> Tensor:
    """(spokes, samples, 2), (ky, kx) in cycles per pixel; 400 spokes of 640 samples at full scale."""
    return golden_angle(scale.n * 5 // 4, 2 * scale.n).to(scale.device)


def forward(images: Tensor, trajectory: Tensor) -> Tensor:
    """(coil, n, n) -> (coil, spokes, samples): sum of image exp(-2 pi i k r) / sqrt(pixels), r from the centre."""
    fast = _finufft(images, trajectory)
    if fast is not None:
        return fast
    images, parts = images.to(torch.complex128), trajectory.double().flatten(0, 1).split(CHUNK)
    out = [((images @ wx.mT) * wy.mT).sum(1) for wy, wx in (waves(part, images.shape[-2:]) for part in parts)]
    return torch.cat(out, -1).unflatten(-1, trajectory.shape[:2])


def adjoint_at(kspace: Tensor, trajectory: Tensor, rows: Tensor, columns: Tensor, shape: torch.Size) -> Tensor:
    """The adjoint of `forward` at some pixels only: (coil, pixels)."""
    data, out = kspace.to(torch.complex128).flatten(-2), 0
    for part, values in zip(trajectory.double().flatten(0, 1).split(CHUNK), data.split(CHUNK, -1)):
        wy, wx = waves(part, shape)
        out = out + values @ (wy[:, rows] * wx[:, columns]).conj()
    return out


def waves(points: Tensor, shape: torch.Size) -> tuple[Tensor, Tensor]:
    """exp(-2 pi i k r) / sqrt(n) along the rows and the columns, each (samples, n)."""
    grids = (torch.arange(n, dtype=torch.float64, device=points.device) - n // 2 for n in shape)
    wy, wx = (torch.exp(-2j * torch.pi * points[:, i, None] * r) / len(r) ** 0.5 for i, r in enumerate(grids))
    return wy, wx


def _finufft(images: Tensor, trajectory: Tensor) -> Tensor | None:
    """The same sum to 13 digits in a second instead of a minute, where finufft is there."""
    try:
        import finufft
    except ImportError:
        return None
    ky, kx = (2 * torch.pi * trajectory.double().cpu().flatten(0, 1)).T.contiguous().numpy()
    full = finufft.nufft2d2(ky, kx, images.cpu().to(torch.complex128).numpy(), eps=1e-13)
    norm = images.shape[-1] * images.shape[-2]
    return torch.from_numpy(full).to(images.device).unflatten(-1, trajectory.shape[:2]) / norm**0.5
