"""Classical algorithms: one function is one visible loop; every sample of a batch on its own."""

from .adam import adam
from .alternate import alternate
from .ball import into_ball
from .linear import cg, dot, power, safe_step
from .noise import noise_norm
from .proximal import admm, fista, ista, pdhg, soft
from .shifted import shifted_inverse

__all__ = [
    "adam", "admm", "alternate", "cg", "dot", "fista", "into_ball", "ista", "noise_norm", "pdhg", "power",
    "safe_step", "shifted_inverse", "soft",
]  # fmt: skip
