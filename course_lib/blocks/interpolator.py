"""Small networks that guess the lines between acquired ones: one for each real channel of k-space (RAKI's layers)."""

from collections.abc import Callable

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from ..shapes import KSpace
from ..solve.grappa import Between, Weights, predict
from .complex import as_complex, as_real

ROWS = (5, 1, 3)  # of the three layers, along the readout
LINES = (2, 1, 2)  # acquired lines that each layer sees
REACH = (sum(ROWS) - 2, sum(LINES) - 2)  # rows and acquired lines that a guess depends on: (7, 3)


class Interpolator(nn.Module):
    """conv(5 x 2) - act - conv(1 x 1) - act - conv(3 x 2), without bias, for the real and imaginary part of each coil.

    Each of the 2 * coils networks sees all coils and guesses the `gaps` lines between two acquired ones of its own
    channel; none shares a weight with another. All are computed at once. act is applied to real numbers; with ReLU or
    the identity f(s k) = s f(k) for s > 0.
    """

    def __init__(
        self,
        coils: int,
        gaps: int,
        widths: tuple[int, int] = (32, 8),
        act: Callable[[Tensor], Tensor] = torch.relu,
        seed: int = 0,
    ):
        super().__init__()
        self.act, rng = act, torch.Generator().manual_seed(seed)
        inside, outside = (2 * coils, *widths), (*widths, gaps)
        shapes = [(2 * coils, o, i * r * n) for o, i, r, n in zip(outside, inside, ROWS, LINES)]
        self.layers = nn.ParameterList(torch.empty(shape) for shape in shapes)
        for layer in self.layers:
            nn.init.trunc_normal_(layer, std=0.1, a=-0.2, b=0.2, generator=rng)

    def forward(self, k: KSpace, spacing: int = 1) -> Between:
        """Lines `spacing` apart in k (batch, coil, rows, columns) play the acquired ones; only full windows count."""
        return torch.stack([self._one(x, spacing) for x in as_real(k).flatten(1, 2)])

    def _one(self, x: Float[Tensor, "channel ky kx"], spacing: int) -> Complex[Tensor, "gaps coil along across"]:
        x = x[None]
        for i, layer in enumerate(self.layers):
            windows, size = _windows(x if i == 0 else self.act(x), ROWS[i], LINES[i], spacing)
            x = (layer.flatten(0, 1) @ windows[0] if i == 0 else layer @ windows).reshape(len(layer), -1, *size)
        return as_complex(x.unflatten(0, (2, -1))[None])[0].movedim(1, 0)


class Residual(nn.Module):
    """weights * k + f(k), a linear guess (solve.grappa) and what networks add to it: 0 at the start."""

    def __init__(self, weights: Weights, f: Interpolator):
        super().__init__()
        self.weights, self.f = nn.Parameter(weights), f
        nn.init.zeros_(f.layers[-1])

    def forward(self, k: KSpace, spacing: int = 1) -> Between:
        return predict(k, self.weights, spacing) + self.f(k, spacing)


def _windows(x: Tensor, rows: int, lines: int, spacing: int) -> tuple[Tensor, tuple[int, int]]:
    """(n, channel, height, width) -> (n, channel * rows * lines, places), and how many places along each axis."""
    height, width = x.shape[-2] - rows + 1, x.shape[-1] - (lines - 1) * spacing
    parts = [x[..., i : i + height, j * spacing : j * spacing + width] for i in range(rows) for j in range(lines)]
    windows = torch.stack(parts, 2) if len(parts) > 1 else parts[0].unsqueeze(2)  # stack copies
    return windows.flatten(3).flatten(1, 2), (height, width)
