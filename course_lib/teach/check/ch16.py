"""Chapter 16: the prox of the conjugate of the data term, the primal-dual loop, and the distance to the data."""

from collections.abc import Callable

import torch
from torch import Tensor

from ...ops import Sense
from ...solve import soft
from ..exercise import Exercise
from .ch15 import scans

ch16_dual_prox = Exercise(
    reference=lambda v, y, sigma: (v - sigma * y) / (1 + sigma),
    cases=lambda: [(y.flip(-1).conj(), y, sigma) for (y, A), sigma in zip(scans(), (0.5, 2.0))],
    mistakes={
        "the prox of f itself: the conjugate holds + Re <d, y>, so y is taken away": lambda v, y, sigma: (
            (v + sigma * y) / (1 + sigma)
        ),
        "sigma is missing at y: the gradient of sigma f* is sigma (d + y)": lambda v, y, sigma: (v - y) / (1 + sigma),
        "nothing is divided: the quadratic term of f* shrinks d": lambda v, y, sigma: v - sigma * y,
        "another step: 1 / sigma is that of f in Moreau's identity, here it is sigma": lambda v, y, sigma: (
            (sigma * v - y) / (1 + sigma)
        ),
        "one half is lost or doubled: f* is 1/2 |d|^2 + Re <d, y>": lambda v, y, sigma: (
            (v - sigma * y) / (1 + 2 * sigma)
        ),
    },
    differentiable=True,
)


def _pdhg(
    dual: Callable = lambda d, x, z, y, A, sigma: (d + sigma * (A(z) - y)) / (1 + sigma),
    primal: Callable = lambda x, d, before, A, y, prox, tau: prox(x - tau * A.H(d), tau),
    extrapolate: Callable = lambda x, before, z: 2 * x - before,
    first: str = "dual",
) -> Callable[..., tuple[Tensor, Tensor]]:
    """The loop, with one of its lines exchanged."""

    def loop(y, A, prox, tau, sigma, iterations):
        x = z = A.H(y)
        d = torch.zeros_like(y)
        for _ in range(iterations):
            old = d
            if first == "dual":
                d = dual(d, x, z, y, A, sigma)
            before, x = x, primal(x, d, old, A, y, prox, tau)
            z = extrapolate(x, before, z)
            if first == "primal":
                d = dual(d, x, z, y, A, sigma)
        return x, d

    return loop


def _problems() -> list[tuple]:
    """(y, A, prox, tau, sigma, iterations): a threshold, and a shrinkage that depends on the step."""
    (y, A), (w, B) = scans()
    return [(y, A, lambda v, t: soft(v, 0.3 * t), 0.8, 0.7, 3), (w, B, lambda v, t: v / (1 + 0.5 * t), 0.5, 1.6, 4)]


ch16_pdhg = Exercise(
    reference=_pdhg(),
    cases=_problems,
    mistakes={
        "no extrapolation: the dual step looks at z = 2 x - x before": _pdhg(extrapolate=lambda x, before, z: x),
        "extrapolated backwards: z lies beyond the new x, not beyond the old one": _pdhg(
            extrapolate=lambda x, before, z: 2 * before - x
        ),
        "extrapolated from z: it is the last two x that count": _pdhg(extrapolate=lambda x, before, z: 2 * x - z),
        "the old d: the primal step uses the d that was just found": _pdhg(
            primal=lambda x, d, old, A, y, prox, tau: prox(x - tau * A.H(old), tau)
        ),
        "the primal step first: in each iteration d moves before x": _pdhg(first="primal"),
        "d is not used: A^H d stands where gradient descent has A^H (A x - y)": _pdhg(
            primal=lambda x, d, old, A, y, prox, tau: prox(x - tau * A.H(A(x) - y), tau)
        ),
        "wrong direction: x goes down, against A^H d": _pdhg(
            primal=lambda x, d, old, A, y, prox, tau: prox(x + tau * A.H(d), tau)
        ),
        "no prox: the penalty never acts": _pdhg(primal=lambda x, d, old, A, y, prox, tau: x - tau * A.H(d)),
        "d forgets: it is the old d plus sigma (A z - y), divided by 1 + sigma": _pdhg(
            dual=lambda d, x, z, y, A, sigma: sigma * (A(z) - y) / (1 + sigma)
        ),
        "d is not shrunk: the dual step is a prox, not only a gradient": _pdhg(
            dual=lambda d, x, z, y, A, sigma: d + sigma * (A(z) - y)
        ),
        "tau inside the prox is missing: the prox is that of tau g": _pdhg(
            primal=lambda x, d, old, A, y, prox, tau: prox(x - tau * A.H(d), 1.0)
        ),
    },
)


def _acquired(A: Sense, y: Tensor) -> Tensor:
    return A.mask.expand(y.shape)


def _energy(x: Tensor, y: Tensor, A: Sense) -> Tensor:
    return (A(x) - y).abs().square().sum()


ch16_misfit = Exercise(
    reference=lambda x, y, A, sigma: _energy(x, y, A) / _acquired(A, y).sum() / sigma**2,
    cases=lambda: [(A.H(y), y, A, sigma) for (y, A), sigma in zip(scans(), (0.3, 2.0))],
    mistakes={
        "missing samples are counted: they hold no data, and A x is 0 there": lambda x, y, A, sigma: (
            _energy(x, y, A) / y.numel() / sigma**2
        ),
        "one coil is counted: each coil has samples of its own": lambda x, y, A, sigma: (
            _energy(x, y, A) / _acquired(A, y).sum() * y.shape[1] / sigma**2
        ),
        "the mask of one line is counted: every row of k-space has these columns": lambda x, y, A, sigma: (
            _energy(x, y, A) / A.mask.sum() / sigma**2
        ),
        "sigma is a standard deviation: the variance is its square": lambda x, y, A, sigma: (
            _energy(x, y, A) / _acquired(A, y).sum() / sigma
        ),
        "a root is taken: energies are compared": lambda x, y, A, sigma: (
            _energy(x, y, A) / _acquired(A, y).sum() / sigma**2
        ).sqrt(),
        "a sum, not a mean: divide by the number of samples": lambda x, y, A, sigma: _energy(x, y, A) / sigma**2,
    },
)
