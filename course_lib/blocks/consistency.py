"""Data consistency without a solver: what was measured is put back, sample by sample."""

from jaxtyping import Float
from torch import Tensor, where

from ..shapes import KSpace


def keep(k: KSpace, y: KSpace, mask: Float[Tensor, "..."]) -> KSpace:
    """y where the mask is 1, and k, a network's word, elsewhere (Schlemper et al. 2018, Eq. 5 for lam = infinity)."""
    return where(mask > 0, y, k)
