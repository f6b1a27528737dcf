"""Classical algorithms: one function is one visible loop; every sample of a batch on its own."""

from .adam import adam
from .least_squares import least_squares
from .linear import cg, dot, power, safe_step
from .proximal import admm, fista, ista, pdhg, soft
from .shifted import shifted_inverse

__all__ = [
    "adam", "admm", "cg", "dot", "fista", "ista", "least_squares", "pdhg", "power", "safe_step", "shifted_inverse",
    "soft",
]  # fmt: skip
