"""Muon: steps of equal size in every direction of a weight matrix (Jordan et al. 2024).

    M <- 0.95 M + G                              G: gradient of a weight, seen as a matrix (outputs, inputs x taps)
    U <- the nearest matrix with orthonormal rows or columns to G + 0.95 M, by five Newton-Schulz iterations
    W <- W - lr sqrt(max(1, rows / columns)) U

The gradient of a convolution is dominated by a few directions (in image reconstruction, the local mean); Adam scales
its entries, Muon its singular values. Our networks reach the loss of AdamW in less than half the steps.
"""

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
ADAM = 0.9, 0.999  # decay of the mean and of the mean square
QUINTIC = (3.4445, -4.7750, 2.0315)  # a + b s^2 + c s^4 pulls every singular value s in (0, 1] towards 1


class Muon(torch.optim.Optimizer):
    """Muon for weights with two or more axes, Adam for all other parameters (biases, lam).

    A group's `lr` is its `peak` until somebody changes it.
    """

    def __init__(self, model: nn.Module, lr: float = 1e-2, others_lr: float = 3e-3):
        weights = [p for p in model.parameters() if p.ndim > 1]
        others = [p for p in model.parameters() if p.ndim < 2]
        groups = [{"params": weights, "lr": lr, "peak": lr}, {"params": others, "lr": others_lr, "peak": others_lr}]
        super().__init__(groups, {})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        weights, others = ([p for p in group["params"] if p.grad is not None] for group in self.param_groups)
        for shape in {p.shape for p in weights}:
            self._turn([p for p in weights if p.shape == shape], self.param_groups[0]["lr"])
        for p in others:
            self._adam(p, self.param_groups[1]["lr"])

    def _turn(self, weights: list[Tensor], lr: float) -> None:
        """Weights of one shape as one batch of matrices: their products are too small to be worth a call each."""
        for p in weights:
            self.state[p].setdefault("momentum", torch.zeros_like(p)).mul_(MOMENTUM).add_(p.grad)
        ahead = torch.stack([p.grad + MOMENTUM * self.state[p]["momentum"] for p in weights]).flatten(2)
        rows, columns = ahead.shape[1:]
        for p, direction in zip(weights, orthogonal(ahead)):
            p.sub_(direction.view_as(p), alpha=lr * max(1, rows / columns) ** 0.5)

    def _adam(self, p: Tensor, lr: float) -> None:
        """Kingma & Ba, ICLR 2015, algorithm 1."""
        state = self.state[p]
        mean, square = (state.setdefault(key, torch.zeros_like(p)) for key in ("mean", "square"))
        steps = state.setdefault("steps", torch.zeros(()))
        steps += 1
        mean.mul_(ADAM[0]).add_(p.grad, alpha=1 - ADAM[0])
        square.mul_(ADAM[1]).addcmul_(p.grad, p.grad, value=1 - ADAM[1])
        size = (square / (1 - ADAM[1] ** steps.item())).sqrt() + 1e-8
        p.sub_(mean / (1 - ADAM[0] ** steps.item()) / size, alpha=lr)


def orthogonal(matrices: Tensor) -> Tensor:
    """Nearly U V^H of each matrix U S V^H in a batch (n, rows, columns): singular values between 0.7 and 1.2."""
    a, b, c = QUINTIC
    wide = matrices if matrices.shape[1] <= matrices.shape[2] else matrices.mT
    x = wide / wide.norm(dim=(1, 2), keepdim=True).clamp_min(1e-12)
    for _ in range(5):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide is matrices else x.mT
