"""Which k-space samples are acquired: masks and trajectories are made here, and read back.

A mask is a float tensor, 1 = acquired: lines (1, 1, 1, W), planes (1, 1, H, W), frames (1, 1, T, 1, W).
"""

from .deal import Looks, deal
from .lines import centre, equispaced, kt, random, uniform, within
from .poisson import poisson
from .protocol import Draw, protocol
from .psf import psf, side_lobe, trajectory_psf, transform_psf
from .read import acs, effective_acceleration, effective_accelerations, lattice, spacing
from .redraw import redrawn
from .split import split
from .spokes import golden_angle

__all__ = [
    "Draw", "Looks", "acs", "centre", "deal", "effective_acceleration", "effective_accelerations", "equispaced",
    "golden_angle", "kt", "lattice", "poisson", "protocol", "psf", "random", "redrawn", "side_lobe", "spacing",
    "split", "trajectory_psf", "transform_psf", "uniform", "within",
]  # fmt: skip
