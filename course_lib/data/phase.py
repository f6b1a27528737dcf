"""Coil maps have a free phase: multiply all of them by one unit number in a pixel, divide the image by it there, and
the measured data stay the same. So the maps can carry the smooth phase of the object, and the image becomes almost
real, which is easier for every prior: edges in the phase do not look like edges, a network need not learn to rotate.
(Phase-constrained reconstruction does the same: Bydder & Robson, Magn. Reson. Med. 2005.)
"""

import torch
from torch import Tensor

from ..ops.sense import Sense
from ..sampling import acs
from ..shapes import Image, KSpace

FEWEST = 4  # lines in the centre below which no phase can be seen


def smooth_phase(y: KSpace, A: Sense) -> Tensor:
    """Unit numbers (batch, *ones, height, width): the phase of the low-resolution image of undersampled data `y`.

    It comes from the gap-free centre of k-space, so nothing but measured data is used; 1 where there is no such centre.
    One phase serves all frames and velocity encodings: what differs between them is signal, and stays.
    """
    start, stop = acs(A.mask)
    if stop - start < FEWEST:
        return torch.ones_like(shared(A.H(y)))
    low = shared(A.H(y * _window(y, start, stop)))
    return torch.polar(torch.ones_like(low.real), low.angle())


def shared(x: Image) -> Tensor:
    """The mean over the extra axes, each kept with length 1."""
    axes = tuple(range(1, x.ndim - 2))
    return x.mean(axes, keepdim=True) if axes else x


def _window(y: Tensor, start: int, stop: int) -> Tensor:
    """A Hann window (height, width): as wide as the centre, a quarter of the readout high; 0 elsewhere."""
    height, width = y.shape[-2:]
    rows = max(FEWEST, height // 4)
    tall, wide = (
        torch.hann_window(n + 2, False, dtype=y.real.dtype, device=y.device)[1:-1] for n in (rows, stop - start)
    )
    window = y.real.new_zeros(height, width)
    top = (height - rows + 1) // 2
    window[top : top + rows, start:stop] = tall[:, None] * wide
    return window
