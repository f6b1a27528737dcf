"""Classical algorithms: one function is one visible loop; every sample of a batch on its own."""

from .adam import adam
from .linear import cg, dot, power, safe_step
from .proximal import admm, fista, ista, pdhg, soft
from .shifted import shifted_inverse

__all__ = ["adam", "admm", "cg", "dot", "fista", "ista", "pdhg", "power", "safe_step", "shifted_inverse", "soft"]
