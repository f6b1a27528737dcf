"""How far a result lies from its float64 reference."""

from collections.abc import Callable

import numpy as np
import torch


def relative(reference: torch.Tensor | np.ndarray) -> Callable[[object], float]:
    """The function ||x - reference|| / ||reference||; both as complex128 on the CPU."""
    reference = plain(reference)

    def difference(x: object) -> float:
        x = plain(x).reshape(reference.shape)
        return float(torch.linalg.vector_norm(x - reference) / torch.linalg.vector_norm(reference))

    return difference


def plain(x: object) -> torch.Tensor:
    """An array of any library, or a list of them, as complex128 on the CPU."""
    if isinstance(x, list):
        return torch.stack([plain(one) for one in x])
    return torch.as_tensor(x).detach().cpu().to(torch.complex128)
