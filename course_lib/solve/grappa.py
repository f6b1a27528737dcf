"""GRAPPA: a missing sample as a weighted sum of acquired ones (Griswold et al., Magn. Reson. Med. 2002).

    min_w ||S w - T||^2 + lam ||w||^2      fitted where every line was acquired; then T = S w where lines are missing

A row of S holds the samples of all coils under a kernel: rows next to each other along the height (the readout), every
R-th line along the width. T holds the R - 1 lines in the middle of the kernel, of every coil.
"""

from collections.abc import Callable

import torch
from jaxtyping import Complex
from torch import Tensor
from torch.nn.functional import conv2d, pad

from ..errors import CourseError
from ..sampling import acs, lattice
from ..shapes import KSpace

Block = Complex[Tensor, "batch coil ky gapless"]
Between = Complex[Tensor, "batch gaps coil along across"]  # at every place of a kernel
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
    rows, lines = kernel
    block, between_lines, R = pairs(kspace, mask, kernel)
    windows = block.unfold(-1, (lines - 1) * R + 1, 1)  # (batch, coil, height, place, span)
    S = windows[..., ::R].unfold(2, rows, 1).permute(0, 2, 3, 1, 5, 4).flatten(3).flatten(1, 2)
    T = between_lines.flatten(3).flatten(1, 2).mT
    gram = S.mH @ S
    energy = gram.diagonal(dim1=-2, dim2=-1)
    energy += lam * energy.mean(-1, keepdim=True)
    w = torch.linalg.solve(gram, S.mH @ T)
    return w.mT.unflatten(-1, (kspace.shape[1], rows, lines))


def centre(kspace: KSpace, mask: Tensor, kernel: tuple[int, int]) -> Block:
    """The calibration lines, or an error when the kernel does not fit into them."""
    (R, _), (start, stop), (rows, lines) = lattice(mask), acs(mask), kernel
    span = (lines - 1) * R + 1
    if stop - start < span or kspace.shape[-2] < rows:
        raise CourseError(
            "grappa: too few calibration lines",
            f"at least {span} lines of {rows} rows in the centre for a kernel of {rows} x {lines} and R = {R}",
            f"{stop - start} lines of {kspace.shape[-2]} rows",
            "acquire more lines in the centre, or use a smaller kernel",
        )
    return kspace[..., start:stop]


def pairs(kspace: KSpace, mask: Tensor, kernel: tuple[int, int]) -> tuple[Block, Between, int]:
    """What a guess is learned from: the calibration lines, the gaps in them, and the lines' spacing R."""
    block, R = centre(kspace, mask, kernel), lattice(mask)[0]
    return block, gaps(block, R, kernel), R


def gaps(block: Block, R: int, kernel: tuple[int, int]) -> Between:
    """The R - 1 lines in the middle of a kernel, at every place of `block` where it fits: what is to be guessed."""
    rows, lines = kernel
    height, width = block.shape[-2] - rows + 1, block.shape[-1] - (lines - 1) * R
    top, left = rows // 2, (lines - 1) // 2 * R
    columns = [block[..., top : top + height, left + g : left + g + width] for g in range(1, R)]
    return torch.stack(columns, 1) if columns else block.new_zeros(len(block), 0, block.shape[1], height, width)


def fill(kspace: KSpace, mask: Tensor, weights: Weights) -> KSpace:
    """Missing lines from weights (batch or 1, ...): linear in k-space. Beyond its edge k-space is taken as zero."""
    rows, lines = weights.shape[-2:]
    return between(kspace, mask, (rows, lines), lambda acquired: predict(acquired, weights))


def predict(k: KSpace, weights: Weights, spacing: int = 1) -> Between:
    """S w: the lines in the middle of every kernel, whose lines lie `spacing` apart in k."""
    each = zip(k.split(1), weights.expand(len(k), -1, -1, -1, -1))
    return torch.cat([conv2d(one, w, dilation=(1, spacing)) for one, w in each]).unflatten(1, (-1, k.shape[1]))


def scan_by_scan(
    kspace: KSpace, mask: Tensor, kernel: tuple[int, int], learn: Callable[[KSpace, Tensor], Callable]
) -> KSpace:
    """Every sample of a batch filled by the guess that `learn(y, mask)` finds on that sample alone."""
    scans = zip(kspace.split(1), mask.expand(len(kspace), -1, -1, -1).split(1))
    return torch.cat([between(y, m, kernel, learn(y, m)) if lattice(m)[0] > 1 else y for y, m in scans])


def between(kspace: KSpace, mask: Tensor, kernel: tuple[int, int], guess: Callable[[KSpace], Between]) -> KSpace:
    """Missing lines by any `guess`: acquired lines side by side -> the R - 1 lines in the middle of every kernel."""
    (R, first), (rows, lines), width = lattice(mask), kernel, kspace.shape[-1]
    if R == 1:
        return kspace
    acquired = pad(kspace[..., first::R], ((lines + 1) // 2, lines // 2, rows // 2, (rows - 1) // 2))
    found = guess(acquired)
    full = kspace.new_zeros(*kspace.shape[:-1], R * found.shape[-1])  # begins R lines before the first acquired one
    for i in range(R - 1):
        full[..., i + 1 :: R] = found[:, i]
    return torch.where(mask != 0, kspace, full[..., R - first : R - first + width])
