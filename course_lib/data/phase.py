"""Coil maps have a free phase: multiply all of them by one unit number in a pixel, divide the image by it there, and
the measured data stay the same. So the maps can carry the smooth phase of the object, and the image becomes almost
real, which is easier for every prior: edges in the phase do not look like edges, a network need not learn to rotate.
(Phase-constrained reconstruction does the same: Bydder & Robson, Magn. Reson. Med. 2005.)
"""

from dataclasses import replace

import torch
from torch import Tensor

from ..sampling import acs
from .sample import Sample

FEWEST = 4  # lines in the centre below which no phase can be seen


def phase_referenced(sample: Sample) -> Sample:
    """The sample whose maps carry the phase of its own low-resolution image; nothing but measured data is used.

    The low-resolution image comes from the gap-free centre of k-space. Masks without one leave the sample as it is.
    """
    start, stop = acs(sample.mask)
    if stop - start < FEWEST:
        return sample
    low = sample.A.H(sample.kspace * _window(sample.kspace, start, stop))
    phase = torch.polar(torch.ones_like(low.real), low.angle())
    return replace(sample, maps=sample.maps * phase.unsqueeze(1), image=sample.image * phase.conj())


def _window(kspace: Tensor, start: int, stop: int) -> Tensor:
    """A Hann window (height, width): as wide as the centre, a quarter of the readout high; 0 elsewhere."""
    height, width = kspace.shape[-2:]
    rows = max(FEWEST, height // 4)
    window = kspace.real.new_zeros(height, width)
    tall, wide = (torch.hann_window(n + 2, periodic=False, device=kspace.device)[1:-1] for n in (rows, stop - start))
    top = (height - rows + 1) // 2
    window[top : top + rows, start:stop] = tall[:, None] * wide
    return window
