"""What is known about the receiver before a reconstruction: coil maps, fewer virtual coils, white noise."""

import torch
from jaxtyping import Complex
from torch import Tensor

from ..errors import CourseError
from ..shapes import KSpace, Maps
from .espirit import calibration_size, espirit

__all__ = ["calibration_size", "compress", "espirit", "mix", "noise_covariance", "upright", "walsh", "whiten"]

Matrix = Complex[Tensor, "batch virtual coil"]
Virtual = Complex[Tensor, "batch virtual *extra height width"]


def walsh(images: Maps, window: int = 5) -> Maps:
    """Coil maps from coil images by adaptive combination (Walsh, Gmitro & Marcellin, Magn. Reson. Med. 2000).

    images: (batch, coil, *extra, height, width). The maps are the dominant eigenvectors of the coil covariance in a
    window around each pixel, sum |maps|^2 = 1; the coil with most energy has phase zero.
    """
    pixels = images.movedim(1, -1)
    covariance = _box(pixels[..., :, None] * pixels[..., None, :].conj(), window)
    maps = torch.linalg.eigh(covariance)[1][..., -1].movedim(-1, 1)
    return maps * torch.sgn(_strongest(images, maps)).conj()


def compress(kspace: KSpace, coils: int) -> tuple[Virtual, Matrix]:
    """The `coils` virtual coils that hold most energy, strongest first, and the matrix that made them.

    kspace: (batch, coil, *extra, height, width). matrix: (batch, coils, coil), orthonormal rows; principal components
    (Buehrer et al., Magn. Reson. Med. 2007). `mix(matrix, maps)` compresses maps in the same way.
    """
    if coils > kspace.shape[1]:
        raise CourseError("compress: more virtual than real coils", f"at most {kspace.shape[1]}", f"{coils}")
    vectors = torch.linalg.eigh(noise_covariance(kspace))[1]
    matrix = vectors.mH.flip(1)[:, :coils]
    return mix(matrix, kspace), matrix


def upright(virtual: Virtual, matrix: Matrix) -> tuple[Virtual, Matrix]:
    """The same virtual coils with their largest sample real and positive: principal components leave the phase open."""
    samples = virtual.flatten(2)
    largest = samples.gather(2, samples.abs().argmax(2, keepdim=True))
    turn = torch.where(largest != 0, torch.sgn(largest).conj(), 1)
    return (turn * samples).reshape(virtual.shape), turn * matrix


def noise_covariance(noise: KSpace) -> Complex[Tensor, "batch coil coil"]:
    """Covariance <n n^H> of the coils over all samples of a noise measurement (batch, coil, ...)."""
    n = noise.flatten(2)
    return n @ n.mH / n.shape[-1]


def whiten(kspace: KSpace, covariance: Complex[Tensor, "batch coil coil"]) -> KSpace:
    """k-space whose noise has unit covariance: L^-1 kspace with covariance = L L^H (Pruessmann et al. 2001)."""
    L = torch.linalg.cholesky(covariance)
    white = torch.linalg.solve_triangular(L, kspace.flatten(2), upper=False)
    return white.reshape(kspace.shape)


def mix(matrix: Matrix, coils: KSpace | Maps) -> Virtual:
    """Apply a matrix (batch or 1, virtual, coil) to the coil axis of k-space, coil images or maps."""
    mixed = matrix @ coils.flatten(2)
    return mixed.reshape(mixed.shape[0], mixed.shape[1], *coils.shape[2:])


def _strongest(images: Tensor, maps: Tensor) -> Tensor:
    """The map (batch, 1, ...) of the coil with most energy in each sample."""
    coil = torch.linalg.vector_norm(images.flatten(2), dim=2).argmax(1)
    return maps[torch.arange(len(maps), device=maps.device), coil][:, None]


def _box(x: Tensor, window: int) -> Tensor:
    """Sum over a window of the axes -4 and -3; nothing lies outside the image."""
    before, after = window // 2, (window - 1) // 2
    for axis, pad in ((-3, (0, 0, 0, 0, before, after)), (-4, (0, 0, 0, 0, 0, 0, before, after))):
        x = torch.nn.functional.pad(x, pad).unfold(axis, window, 1).sum(-1)
    return x
