"""SPIRiT: k-space that agrees with its own neighbourhood (Lustig & Pauly, Magn. Reson. Med. 2010).

    min_k ||(G - I) k||^2   with   M k = y

G predicts each sample of each coil from all others under a kernel, itself left out; it is fitted to the full centre.
Acquired samples are kept, so there is no weight to choose; the number of iterations keeps noise down instead. As a
convolution G is a matrix of coils at each pixel of the image, so one application costs two Fourier transforms.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Complex
from torch import Tensor

from ..errors import CourseError
from ..ops.hankel import Hankel
from ..ops.sense import fft2c, ifft2c
from ..shapes import KSpace
from .espirit import calibration_size
from .linear import cg

Weights = Complex[Tensor, "#batch target coil rows columns"]
Matrices = Complex[Tensor, "#batch target coil height width"]


def spirit(
    kspace: KSpace, mask: Tensor, kernel: tuple[int, int] = (5, 5), lam: float = 1e-3, iterations: int = 30
) -> KSpace:
    """Fill k-space (batch, coil, height, width) under any mask (batch or 1, 1, 1 or height, width) with a full centre.

    lam: ridge of the fit, relative to the mean energy of a sample. Raises `CourseError` when the centre is smaller than
    the kernel.
    """
    masks = mask.expand(len(kspace), -1, -1, -1).split(1)
    return torch.cat([complete(y, m, calibrate(y, m, kernel, lam), iterations) for y, m in zip(kspace.split(1), masks)])


def calibrate(kspace: KSpace, mask: Tensor, kernel: tuple[int, int] = (5, 5), lam: float = 1e-3) -> Weights:
    """The kernel of G for every pair of coils; what predicts a sample from itself is 0. One mask for all samples.

    With K = (S^H S + lam)^-1, S the windows of the centre, column t of K over -K_tt is the ridge regression of column t
    on all others: one inverse serves all coils.
    """
    height, width = kspace.shape[-2:]
    size = calibration_size(mask.expand(-1, -1, height, -1))
    if any(n < k for n, k in zip(size, kernel)):
        expected, found = f"a fully acquired centre of at least {kernel[0]} x {kernel[1]}", f"{size[0]} x {size[1]}"
        raise CourseError("spirit: too few calibration lines", expected, found, "a smaller kernel or more lines")
    top, left = height // 2 - size[0] // 2, width // 2 - size[1] // 2
    S = Hankel(size, kernel)(kspace[..., top : top + size[0], left : left + size[1]])
    gram = S.mH @ S
    energy = gram.diagonal(dim1=-2, dim2=-1)
    energy += lam * energy.mean(-1, keepdim=True)
    area = kernel[0] * kernel[1]
    own = torch.arange(kspace.shape[1], device=kspace.device) * area + kernel[0] // 2 * kernel[1] + kernel[1] // 2
    K = torch.linalg.inv(gram)[..., own]
    w = -K / K[:, own].diagonal(dim1=-2, dim2=-1)[:, None]
    w[:, own, torch.arange(len(own))] = 0
    return w.mT.unflatten(-1, (kspace.shape[1], *kernel))


def predict(kspace: KSpace, weights: Weights) -> KSpace:
    """G k: every sample from its neighbours in all coils; beyond its edge k-space is periodic."""
    return fft2c(_mixed(matrices(weights, kspace.shape[-2:]), ifft2c(kspace)))


def matrices(weights: Weights, size: Sequence[int]) -> Matrices:
    """G in the image: at each pixel a matrix that mixes the coils."""
    rows, columns = (_waves(weights, k, n) for k, n in zip(weights.shape[-2:], size))
    return rows @ weights @ columns.mT


def complete(kspace: KSpace, mask: Tensor, weights: Weights, iterations: int = 30) -> KSpace:
    """Find the samples that were not acquired by conjugate gradients, from 0."""
    missing = (mask == 0).to(kspace.real.dtype)
    D = matrices(weights, kspace.shape[-2:])
    D.diagonal(dim1=1, dim2=2).sub_(1)
    Q = torch.einsum("btchw,btdhw->bcdhw", D.conj(), D)

    def normal(k: Tensor) -> Tensor:
        return missing * fft2c(_mixed(Q, ifft2c(k)))

    return kspace + cg(normal, -normal(kspace), iterations=iterations)


def _mixed(G: Tensor, x: Tensor) -> Tensor:
    """Matrices (batch, target, coil, height, width) times coil images, coil by coil: no array as large as G is made."""
    mixed = torch.zeros_like(x)
    for coil in range(x.shape[1]):
        mixed.addcmul_(G[:, :, coil], x[:, coil : coil + 1])
    return mixed


def _waves(weights: Tensor, taps: int, n: int) -> Tensor:
    """exp(-2 pi i r d / n): what a shift by d does to pixel r, both counted from the centre, (n, taps)."""
    r, d = torch.arange(n).double() - n // 2, torch.arange(taps).double() - taps // 2
    return torch.exp(-2j * torch.pi * r[:, None] * d / n).to(weights)
