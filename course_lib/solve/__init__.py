"""Classical algorithms: one function is one visible loop; every sample of a batch on its own."""

from .linear import cg, dot, power
from .proximal import admm, fista, ista, pdhg, soft
from .shifted import cg_shifted

__all__ = ["admm", "cg", "cg_shifted", "dot", "fista", "ista", "pdhg", "power", "soft"]
