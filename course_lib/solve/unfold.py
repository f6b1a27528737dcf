"""Unfolding regular undersampling: R pixels that lie on each other, one small system for each such group.

    x = (S^H S)^-1 S^H a      S: the coil maps at the R pixels, a: the aliased values (Pruessmann et al., SENSE, 1999)

Skipping lines along the width adds up pixels that are width / R apart; where the first line is not a multiple of R away
from the centre of k-space, each copy has a phase of its own.
"""

import torch
from jaxtyping import Complex
from torch import Tensor

from ..errors import CourseError
from ..ops.sense import Sense
from ..sampling import lattice
from ..shapes import Image, KSpace

Maps = Complex[Tensor, "#batch coil *extra height width"]  # of batch 1 for all samples
Matrices = Complex[Tensor, "#batch *extra height place R R"]


def unfold(kspace: KSpace, mask: Tensor, maps: Maps, lam: float = 0.0) -> Image:
    """Image from every R-th line; calibration lines between them are left out. One mask for all samples.

    Solves (S^H S + lam) x = S^H a; where the coils cannot tell pixels apart x is the shortest solution. Raises
    `CourseError` for other masks, and for a width that is not a multiple of R: then no two pixels lie on each other.
    """
    R, first = lattice(mask)
    width = kspace.shape[-1]
    regular = torch.zeros_like(mask)
    regular[..., first::R] = 1
    gram = grams(maps, R, first)
    gram.diagonal(dim1=-2, dim2=-1).add_(lam)
    folded = fold(Sense(regular, maps).H(kspace), R)
    x = torch.linalg.pinv(gram, hermitian=True) @ folded[..., None]
    return x[..., 0].movedim(-1, -2).reshape(*folded.shape[:-2], width)


def grams(maps: Maps, R: int, first: int) -> Matrices:
    """A^H A of each group of pixels for every R-th line from `first` on: S^H S / R with the phases of the copies."""
    S = fold(maps, R)
    turn = (maps.shape[-1] // 2 - first) / R * torch.arange(R, dtype=torch.float64, device=maps.device)
    S = S * torch.exp(2j * torch.pi * turn).to(S)
    return torch.einsum("bc...r,bc...s->b...rs", S.conj(), S) / R


def fold(x: Tensor, R: int) -> Tensor:
    """(..., width) -> (..., width / R, R): pixels that lie on each other side by side."""
    if x.shape[-1] % R:
        remedy = "a width or an acceleration that fits, or CG-SENSE"
        raise CourseError("unfolding", f"a width that is a multiple of R = {R}", f"{x.shape[-1]}", remedy)
    return x.unflatten(-1, (R, -1)).movedim(-2, -1)
