"""Chapter 15: data consistency with one coil, the gradient of a solution, and a phase of ISTA-Net."""

from collections.abc import Callable

import torch
from torch import Tensor

from ...ops import Sense, fft2c, ifft2c
from ...solve import shifted_inverse, soft
from ..exercise import Exercise
from .cases import images

Solve = Callable[[Tensor], Tensor]


def scans() -> list[tuple[Tensor, Sense]]:
    """(y, A) of two coils: two images that share one mask, and one of odd width."""
    found = []
    for size in ((2, 8, 8), (1, 6, 7)):
        x, first, second = (torch.cat(list(images(*[size[1:]] * 6))[i : i + size[0]]) for i in (0, 2, 4))
        maps = torch.stack([first, second], 1)
        mask = torch.tensor([1.0, 0, 1, 0, 1, 1, 0, 1])[: size[2]].reshape(1, 1, 1, -1)
        A = Sense(mask, maps / maps.abs().square().sum(1, keepdim=True).sqrt())
        found.append((A(x), A))
    return found


def _blend(z: Tensor, y: Tensor, mask: Tensor, old: float, new: float) -> Tensor:
    """What was acquired becomes old * network + new * data."""
    k = fft2c(z)
    return ifft2c(torch.where(mask > 0, old * k + new * y, k))


ch15_keep = Exercise(
    reference=lambda z, y, mask, lam: _blend(z, y, mask, 1 / (1 + lam), lam / (1 + lam)),
    cases=lambda: [(A.H(y), y[:, 0], A.mask[:, 0], lam) for (y, A), lam in zip(scans(), (3.0, 0.5))],
    mistakes={
        "lambda on the wrong side: a large lambda trusts the data, not the network": lambda z, y, mask, lam: _blend(
            z, y, mask, lam / (1 + lam), 1 / (1 + lam)
        ),
        "mask ignored: where nothing was acquired, y is 0 and says nothing": lambda z, y, mask, lam: ifft2c(
            (fft2c(z) + lam * y) / (1 + lam)
        ),
        "acquired samples overwritten: with noise in y, a finite lambda weighs the two": lambda z, y, mask, lam: _blend(
            z, y, mask, 0, 1
        ),
        "data added, nothing taken away: the two weights must add up to 1": lambda z, y, mask, lam: _blend(
            z, y, mask, 1, lam
        ),
        "the network's samples are lost: what was not acquired must stay": lambda z, y, mask, lam: (
            _blend(z, y, mask, 1 / (1 + lam), lam / (1 + lam)) - ifft2c((1 - mask) * fft2c(z))
        ),
        "still k-space: return an image": lambda z, y, mask, lam: torch.where(
            mask > 0, (fft2c(z) + lam * y) / (1 + lam), fft2c(z)
        ),
        "image and k-space mixed: z must be transformed before it meets y": lambda z, y, mask, lam: torch.where(
            mask > 0, (z + lam * y) / (1 + lam), z
        ),
    },
    differentiable=True,
)


def _gradients(solve: Solve, x: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    by_b = solve(g)
    return by_b, -(by_b.conj() * x).sum().real


def _systems() -> list[tuple[Solve, Tensor, Tensor]]:
    """(solve, solution, incoming gradient) of (A^H A + s) x = b for two shifts."""
    rows = []
    for (y, A), s in zip(scans(), (0.5, 2.0)):
        solve = shifted_inverse(A, torch.tensor(s))
        g = A.H(A.mask * y.flip(-2).conj())
        rows.append((lambda b, solve=solve: solve(b, None), solve(A.H(y), None), g))
    return rows


ch15_gradients = Exercise(
    reference=_gradients,
    cases=_systems,
    mistakes={
        "not solved: a change of b passes through the inverse, so the gradient does too": lambda solve, x, g: (
            g,
            -(g.conj() * x).sum().real,
        ),
        "sign of the shift's gradient: a larger shift makes x smaller": lambda solve, x, g: (
            solve(g),
            (solve(g).conj() * x).sum().real,
        ),
        "g instead of its solution: the change of x is solved for, so is g": lambda solve, x, g: (
            solve(g),
            -(g.conj() * x).sum().real,
        ),
        "conjugate missing: an inner product of complex images conjugates one of them": lambda solve, x, g: (
            solve(g),
            -(solve(g) * x).sum().real,
        ),
        "real part forgotten: the shift is a real number, and so is its gradient; take .real": lambda solve, x, g: (
            solve(g),
            -(solve(g).conj() * x).sum(),
        ),
        "the solution is solved again: only the incoming gradient is": lambda solve, x, g: (
            solve(g),
            -(solve(g).conj() * solve(x)).sum().real,
        ),
    },
)  # fmt: skip


def _phases() -> list[tuple]:
    """Arguments of a phase: D doubles the transform, B halves its inverse and adds nothing; both are not linear."""
    D = lambda x: 2 * fft2c(x) * (1 + fft2c(x).abs())
    B = lambda v: 0.5 * ifft2c(v / (1 + v.abs()))
    return [(0.3 * A.H(y).flip(-1), y, A, D, B, rho, t) for (y, A), rho, t in zip(scans(), (0.5, 0.8), (0.3, 0.1))]


def _gradient_step(x: Tensor, y: Tensor, A: Sense, rho: float) -> Tensor:
    return x - rho * A.H(A(x) - y)


ch15_phase = Exercise(
    reference=lambda x, y, A, D, B, rho, theta: B(soft(D(_gradient_step(x, y, A, rho)), theta)),
    cases=_phases,
    mistakes={
        "the gradient step is forgotten: r, not x, goes into D": lambda x, y, A, D, B, rho, theta: B(soft(D(x), theta)),
        "uphill: the step goes against the gradient of the misfit": lambda x, y, A, D, B, rho, theta: B(
            soft(D(_gradient_step(x, y, A, -rho)), theta)
        ),
        "the image is shrunk, not its transform: soft stands between D and B": lambda x, y, A, D, B, rho, theta: B(
            D(soft(_gradient_step(x, y, A, rho), theta))
        ),
        "nothing is shrunk: soft(., theta) is missing": lambda x, y, A, D, B, rho, theta: B(
            D(_gradient_step(x, y, A, rho))
        ),
        "the way back is missing: B turns features into an image": lambda x, y, A, D, B, rho, theta: soft(
            D(_gradient_step(x, y, A, rho)), theta
        ),
        "theta times rho: here theta is learned and stands alone": lambda x, y, A, D, B, rho, theta: B(
            soft(D(_gradient_step(x, y, A, rho)), rho * theta)
        ),
        "r added: that is ISTA-Net+": lambda x, y, A, D, B, rho, theta: (
            _gradient_step(x, y, A, rho) + B(soft(D(_gradient_step(x, y, A, rho)), theta))
        ),
    },
    differentiable=True,
)
