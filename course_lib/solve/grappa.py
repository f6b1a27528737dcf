"""GRAPPA: a missing sample as a weighted sum of acquired ones (Griswold et al., Magn. Reson. Med. 2002).

    min_w ||S w - T||^2 + lam ||w||^2      fitted where every line was acquired; then T = S w where lines are missing

A row of S holds the samples of all coils under a kernel: rows next to each other along the height (the readout), every
R-th line along the width. T holds the R - 1 lines in the middle of the kernel, of every coil.
"""

import torch
from jaxtyping import Complex
from torch import Tensor
from torch.nn.functional import conv2d, pad

from ..errors import CourseError
from ..sampling import acs, lattice
from ..shapes import KSpace

Weights = Complex[Tensor, "#batch targets coil rows lines"]  # targets: (R - 1) * coil, line by line


def grappa(kspace: KSpace, mask: Tensor, kernel: tuple[int, int] = (5, 4), lam: float = 1e-3) -> KSpace:
    """Fill the missing lines of k-space (batch, coil, height, width); acquired samples stay as they are.

    mask (batch or 1, 1, 1 or height, width): every R-th line, any first line, and a full centre that the weights are
    fitted to. kernel: rows along the height, acquired lines along the width. lam: relative to the mean energy of a
    column of S. Raises `CourseError` for other masks and for too few lines in the centre.
    """
    masks = mask.expand(len(kspace), -1, -1, -1).split(1)
    return torch.cat([fill(y, m, calibrate(y, m, kernel, lam)) for y, m in zip(kspace.split(1), masks)])


def calibrate(kspace: KSpace, mask: Tensor, kernel: tuple[int, int] = (5, 4), lam: float = 1e-3) -> Weights:
    """The weights w of each sample from the gap-free centre of its k-space; one mask for all samples."""
    (R, _), (start, stop), (rows, lines) = lattice(mask), acs(mask), kernel
    span, middle = (lines - 1) * R + 1, (lines - 1) // 2 * R
    if stop - start < span or kspace.shape[-2] < rows:
        raise CourseError(
            "grappa: too few calibration lines",
            f"at least {span} lines of {rows} rows in the centre for a kernel of {rows} x {lines} and R = {R}",
            f"{stop - start} lines of {kspace.shape[-2]} rows",
            "acquire more lines in the centre, or use a smaller kernel",
        )
    windows = kspace[..., start:stop].unfold(-1, span, 1)  # (batch, coil, height, place, span)
    S = windows[..., ::R].unfold(2, rows, 1).permute(0, 2, 3, 1, 5, 4).flatten(3).flatten(1, 2)
    targets = windows[:, :, rows // 2 :][:, :, : kspace.shape[-2] - rows + 1, :, middle + 1 : middle + R]
    T = targets.permute(0, 2, 3, 4, 1).flatten(3).flatten(1, 2)
    gram = S.mH @ S
    energy = gram.diagonal(dim1=-2, dim2=-1)
    energy += lam * energy.mean(-1, keepdim=True)
    w = torch.linalg.solve(gram, S.mH @ T)
    return w.mT.unflatten(-1, (kspace.shape[1], rows, lines))


def fill(kspace: KSpace, mask: Tensor, weights: Weights) -> KSpace:
    """Missing lines from weights (batch or 1, ...): linear in k-space. Beyond its edge k-space is taken as zero."""
    (R, first), (coils, _, width) = lattice(mask), kspace.shape[1:]
    if R == 1:
        return kspace
    rows, lines = weights.shape[-2:]
    acquired = pad(kspace[..., first::R], ((lines + 1) // 2, lines // 2, rows // 2, (rows - 1) // 2))
    each = zip(acquired.split(1), weights.expand(len(kspace), -1, -1, -1, -1))
    between = torch.cat([conv2d(one, w) for one, w in each]).unflatten(1, (-1, coils))
    full = kspace.new_zeros(*kspace.shape[:-1], R * between.shape[-1])  # begins R lines before the first acquired one
    for i in range(R - 1):
        full[..., i + 1 :: R] = between[:, i]
    return torch.where(mask != 0, kspace, full[..., R - first : R - first + width])
