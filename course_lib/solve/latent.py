"""Which image of a generator fits the data? Gradient descent over the few numbers z that it is made from.

min_z ||A G(z) - y||^2 / ||y||^2 + lam |z|^2 / latent          Bora, Jalal, Price & Dimakis, ICML 2017

The problem is not convex. The best of many random z are where the descent starts, and the best of its ends is taken.
"""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from ..ops.sense import Sense
from ..shapes import Image, KSpace
from .adam import adam

Latent = Float[Tensor, "count latent"]
Watch = Callable[[float], None] | None
CANDIDATES = 64  # random z for each that is followed


def scans(y: KSpace, A: Sense) -> Iterator[tuple[KSpace, Sense]]:
    """Every scan of a batch on its own."""
    for i in range(len(y)):
        mask, maps = (part[i : i + 1] if len(part) > 1 else part for part in (A.mask, A.maps))
        yield y[i : i + 1], Sense(mask, maps)


def misfit(x: Image, y: Tensor, A: Sense) -> Float[Tensor, " batch"]:
    """||A x - y||^2 / ||y||^2 of each image; y (batch or 1, coil, height, width)."""
    energy = y.abs().square().flatten(1).sum(1).clamp_min(1e-12)
    return (A(x) - y).abs().square().flatten(1).sum(1) / energy


def search(
    G: Callable[[Latent], Image], y: KSpace, A: Sense, latent: int, restarts: int, steps: int, lr: float, lam: float,
    watch: Watch = None,
) -> Latent:  # fmt: skip
    """The z (1, latent) of one scan, by `steps` of Adam from `restarts` starts; the same scan gives the same z."""
    rng = torch.Generator().manual_seed(0)
    z = torch.randn(CANDIDATES * restarts, latent, generator=rng).to(y.device)
    cost = lambda z: misfit(G(z), y, A) + lam * z.square().mean(1)
    with torch.no_grad():
        z = z[cost(z).argsort()[:restarts]].requires_grad_()
    adam(lambda: cost(z).sum(), [z], steps, lr, watch)
    ends = z.detach()
    with torch.no_grad():
        return ends[cost(ends).argmin()][None].clone()
