"""A^H A of whole-line sampling, row by row.

A mask of whole columns samples the readout (height) fully, so the rows of the image never mix: A^H A is one Hermitian
width x width matrix for each row, entry [i, j] = a[i - j] sum over coils conj(S_i) S_j. a: the mask's point spread.
"""

import torch
from torch import Tensor


def row_matrices(mask: Tensor, maps: Tensor) -> Tensor:
    """The matrices (batch, *extra, height, width, width) of A = Sense(mask, maps) for a mask whose height is 1."""
    line = torch.fft.ifftshift(mask.squeeze(1).squeeze(-2).square(), dim=-1)
    pixel = torch.arange(line.shape[-1], device=line.device)
    spread = torch.fft.ifft(line)[..., (pixel[:, None] - pixel) % len(pixel)]
    rows = maps.movedim(1, -2)
    return (rows.mH @ rows) * spread.unsqueeze(-3)
