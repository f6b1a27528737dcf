"""Adam (Kingma & Ba, ICLR 2015): minimise any objective, the solver of methods that train a network on one scan.

m <- b1 m + (1 - b1) g        v <- b2 v + (1 - b2) g^2        p <- p - lr m^ / (sqrt(v^) + eps)
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor


def adam(
    objective: Callable[[], Tensor],
    parameters: Iterable[Tensor],
    steps: int,
    lr: float,
    watch: Callable[[float], None] | None = None,
) -> None:
    """Change `parameters`, leaves that need a gradient, in place so that `objective()` falls.

    It runs where gradients are switched off, too (`torch.no_grad`), and touches no gradient but its own. m^ and v^
    are corrected for their start at 0; `watch` sees the objective before each step.
    """
    parameters = list(parameters)
    optimiser = torch.optim.Adam(parameters, lr)
    for _ in range(steps):
        with torch.enable_grad():
            value = objective()
            gradients = torch.autograd.grad(value, parameters)
        for p, g in zip(parameters, gradients):
            p.grad = g
        optimiser.step()
        if watch is not None:
            watch(value.item())
    optimiser.zero_grad()
