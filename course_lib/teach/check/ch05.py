"""Chapter 05, the algorithm: soft thresholding, one step of ISTA."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ...ops import Sense, Wavelet
from ...solve import ista, soft
from ..exercise import Exercise


def _random(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


def _with_zeros(*shape: int, seed: int) -> Tensor:
    v = _random(*shape, seed=seed)
    v[..., 0] = 0
    return v


ch05_soft = Exercise(
    reference=soft,
    cases=lambda: [
        (_with_zeros(7, seed=1), 0.5),
        (_with_zeros(1, 5, 6, seed=2), 1.0),
        (_with_zeros(2, 8, 8, seed=3), 0.3),
    ],
    mistakes={
        "real and imaginary part apart: shrink the magnitude, so that the phase stays": lambda v, t: torch.complex(
            soft(v.real, t), soft(v.imag, t)
        ),
        "hard threshold: what survives must shrink by t too": lambda v, t: v * (v.abs() > t),
        "no stop at zero: where |v| < t the magnitude |v| - t is negative, and the phase turns round": lambda v, t: (
            v - t * v.sgn()
        ),
        "phase lost: give the new magnitude the phase of v": lambda v, t: (v.abs() - t).clamp_min(0) + 0j,
        "shrunk twice: the magnitude falls by t, not by 2 t": lambda v, t: soft(v, 2 * t),
        "half the threshold: the magnitude falls by t": lambda v, t: soft(v, t / 2),
        "multiplied by the magnitude: v has a magnitude already, divide by it": lambda v, t: soft(v, t) * v.abs(),
        "one magnitude for all: each entry has its own": lambda v, t: v * (1 - t / v.norm()).clamp_min(0),
        "the rest: this is what the threshold takes away": lambda v, t: v - soft(v, t),
    },
)


def problems() -> Iterator[tuple]:
    """(x, y, A, W, lam, step): lines and points, one coil and three, odd sizes, a batch."""
    for seed, (batch, coils, height, width) in enumerate([(1, 1, 16, 16), (2, 3, 17, 18), (1, 2, 20, 16)]):
        rng = torch.Generator().manual_seed(seed)
        mask = (torch.rand(1, 1, 1 if seed else height, width, generator=rng) < 0.5).float()
        maps = _random(batch, coils, height, width, seed=seed + 10) / 2
        A = Sense(mask, maps)
        yield _random(batch, height, width, seed=seed + 20), A(maps[:, 0]), A, Wavelet(), 0.4, (0.5, 0.8, 0.3)[seed]


def _gradient(x: Tensor, y: Tensor, A: Sense) -> Tensor:
    return A.N(x) - A.H(y)


def step_of_ista(x: Tensor, y: Tensor, A: Sense, W: Wavelet, lam: float, step: float, downhill: float = 1.0) -> Tensor:
    """Proximal gradient from the library; `downhill` scales the gradient alone."""
    return ista(lambda x: downhill * _gradient(x, y, A), lambda v, s: W.H(soft(W(v), lam * s)), x, step, 1)


def _order_exchanged(x: Tensor, y: Tensor, A: Sense, W: Wavelet, lam: float, step: float) -> Tensor:
    x = W.H(soft(W(x), step * lam))
    return x - step * _gradient(x, y, A)


ch05_ista_step = Exercise(
    reference=step_of_ista,
    cases=lambda: list(problems()),
    mistakes={
        "uphill: go against the gradient A^H (A x - y)": lambda *problem: step_of_ista(*problem, downhill=-1.0),
        "gradient twice as long: the cost has a factor of 1/2": lambda *problem: step_of_ista(*problem, downhill=2.0),
        "no data: the gradient step is missing": lambda *problem: step_of_ista(*problem, downhill=0.0),
        "step missing in the threshold: the prox of a step is that of step * lam": lambda x, y, A, W, lam, step: (
            step_of_ista(x, y, A, W, lam / step, step)
        ),
        "threshold divided by the step: a shorter step shrinks less": lambda x, y, A, W, lam, step: (
            step_of_ista(x, y, A, W, lam / step**2, step)
        ),
        "step missing in the gradient: x - step * gradient": lambda x, y, A, W, lam, step: (
            step_of_ista(x, y, A, W, lam, step, 1 / step)
        ),
        "threshold missing: this is plain gradient descent": lambda x, y, A, W, lam, step: (
            step_of_ista(x, y, A, W, 0.0, step)
        ),
        "pixels shrunk: the penalty is on the wavelet coefficients": lambda x, y, A, W, lam, step: (
            soft(x - step * _gradient(x, y, A), step * lam)
        ),
        "still coefficients: come back to the image with W.H": lambda x, y, A, W, lam, step: (
            W(step_of_ista(x, y, A, W, lam, step))
        ),
        "W and W.H exchanged: W goes to the coefficients, W.H comes back": lambda x, y, A, W, lam, step: (
            W(soft(W.H(x - step * _gradient(x, y, A)), step * lam))
        ),
        "threshold first: the gradient step comes before it": _order_exchanged,
    },
)  # fmt: skip
