"""The g-factor: how much noise parallel imaging adds, pixel by pixel, beyond the sqrt(R) of fewer samples.

    noise at R = g sqrt(R) noise of the full scan
    g_j = sqrt( [(S^H P^-1 S)^-1]_jj [S^H P^-1 S]_jj ) >= 1      S: maps at R aliased pixels, P: noise covariance

The formula is SENSE's (Pruessmann et al., Magn. Reson. Med. 1999); pseudo-replicas measure any method (Robson et al.,
Magn. Reson. Med. 2008): repeat the reconstruction with new noise and look at the spread of each pixel.
"""

from collections.abc import Callable

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from ..sampling import lattice
from ..shapes import KSpace, Maps
from .calibrate import mix, whiten
from .unfold import grams

Covariance = Complex[Tensor, "#batch coil coil"]
Spread = Float[Tensor, "batch *extra height width"]


def gfactor(maps: Maps, mask: Tensor, covariance: Covariance | None = None) -> Spread:
    """g of SENSE for every R-th line, NaN where no coil sees anything.

    maps (batch, coil, *extra, height, width); mask (1, 1, 1, width), whose calibration lines do not count; covariance
    of the noise between coils, which SENSE is supposed to know; without it noise is white.
    """
    R, first = lattice(mask)
    if covariance is not None:
        maps = whiten(maps, covariance.expand(len(maps), -1, -1))
    gram = grams(maps, R, first)
    inverse = torch.linalg.pinv(gram, hermitian=True)
    seen, noise = (a.diagonal(dim1=-2, dim2=-1).real.movedim(-1, -2).flatten(-2) for a in (gram, inverse))
    return (seen * noise).sqrt().where(seen > 0, torch.nan)


def pseudo_replica(
    reconstruct: Callable[[Tensor], Tensor],
    kspace: KSpace,
    mask: Tensor,
    covariance: Covariance | None = None,
    replicas: int = 100,
    together: int = 20,
    seed: int = 0,
) -> Spread:
    """Standard deviation of each pixel of `reconstruct`, k-space (n, coil, height, width) -> image (n, height, width).

    Noise of this covariance, else of variance 1, is added to the acquired samples of one k-space, `together` replicas
    at a time. The answer itself has a relative error of about 1 / (2 sqrt(replicas)).
    """
    rng = torch.Generator(kspace.device).manual_seed(seed)
    centre = reconstruct(kspace)
    total, square = torch.zeros_like(centre), torch.zeros_like(centre.real)
    for start in range(0, replicas, together):
        shape = (min(together, replicas - start), *kspace.shape[1:])
        noise = torch.randn(shape, dtype=kspace.dtype, device=kspace.device, generator=rng)
        if covariance is not None:
            noise = mix(torch.linalg.cholesky(covariance).expand(len(noise), -1, -1), noise)
        off = reconstruct(kspace + mask * noise) - centre
        total, square = total + off.sum(0), square + off.abs().square().sum(0)
    return ((square - total.abs().square() / replicas) / (replicas - 1)).sqrt()


def split(differences: Complex[Tensor, "replicas height width"]) -> tuple[Tensor, Tensor]:
    """|structured error|^2 and noise variance of each pixel, (height, width), from replicas of a measured scan.

    differences: reconstruction minus full scan, each with the same new noise. Their mean holds the structured error and
    once the scan's own noise, which went through the same reconstruction: its part, and what is left of the new noise,
    is taken away. The result is right on average and may be negative at a pixel.
    """
    replicas, mean = len(differences), differences.mean(0)
    variance = (differences - mean).abs().square().sum(0) / (replicas - 1)
    return mean.abs().square() - (1 + 1 / replicas) * variance, variance
