"""Chapter 02, direct solutions: Tikhonov towards an image, generalised cross-validation."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..exercise import Exercise
from .cases import images


def _systems(*shapes: tuple[int, int]) -> list[tuple[Tensor, Tensor, Tensor]]:
    """(E, y, x0) for each (samples, pixels), in double precision."""
    drawn = images(*(size for m, n in shapes for size in ((m, n), (m, 1), (n, 1))))
    numbers = [x[0].to(torch.complex128) for x in drawn]
    return [(E, y[:, 0], x0[:, 0]) for E, y, x0 in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)]


def _normal(E: Tensor, y: Tensor, lam: float, x0: Tensor) -> Tensor:
    """The normal equations of the rows of E on top of sqrt(lam) x = sqrt(lam) x0."""
    rows = torch.cat([E, lam**0.5 * torch.eye(E.shape[1], dtype=E.dtype)])
    factor = torch.linalg.cholesky(rows.mH @ rows)
    return torch.cholesky_solve((rows.mH @ torch.cat([y, lam**0.5 * x0]))[:, None], factor)[:, 0]


def _solved(gram: Tensor, lam: float, right: Tensor) -> Tensor:
    return torch.linalg.solve(gram + lam * torch.eye(len(gram)), right)


ch02_towards = Exercise(
    reference=_normal,
    cases=lambda: [
        (E, y, lam, x0) for (E, y, x0), lam in zip(_systems((7, 4), (5, 8), (6, 6)), (0.3, 2.0, 0.05), strict=True)
    ],
    mistakes={
        "transposed, not conjugated: the adjoint of a complex matrix is E.mH": lambda E, y, lam, x0: _solved(
            E.mT @ E, lam, E.mT @ y + lam * x0
        ),
        "E^H E not conjugated: both products need E.mH": lambda E, y, lam, x0: _solved(
            E.mT @ E, lam, E.mH @ y + lam * x0
        ),
        "E^H y not conjugated: both products need E.mH": lambda E, y, lam, x0: _solved(
            E.mH @ E, lam, E.mT @ y + lam * x0
        ),
        "lambda on the wrong side: it weighs the distance to x0, not the data": lambda E, y, lam, x0: _solved(
            lam * E.mH @ E, 1, lam * E.mH @ y + x0
        ),
        "x0 without lambda: the gradient of the second term is lam (x - x0), both parts": lambda E, y, lam, x0: _solved(
            E.mH @ E, lam, E.mH @ y + x0
        ),
        "x0 forgotten: this pulls towards 0": lambda E, y, lam, x0: _solved(E.mH @ E, lam, E.mH @ y),
        "x0 pushed away: its sign": lambda E, y, lam, x0: _normal(E, y, lam, -x0),
        "data not corrected: with x = x0 + d, d must explain y - E x0": lambda E, y, lam, x0: (
            x0 + _normal(E, y, lam, 0 * x0)
        ),
        "only the correction: add x0 to it": lambda E, y, lam, x0: _normal(E, y, lam, x0) - x0,
        "lambda squared: below E in one tall matrix stand rows sqrt(lam) I": lambda E, y, lam, x0: _normal(
            E, y, lam**2, x0
        ),
        "root of lambda: in the normal equations lambda itself is on the diagonal": lambda E, y, lam, x0: _normal(
            E, y, lam**0.5, x0
        ),
        "lambda everywhere: it belongs on the diagonal, lam times the identity": lambda E, y, lam, x0: (
            torch.linalg.solve(E.mH @ E + lam, E.mH @ y + lam * x0)
        ),
    },
)


def _kept(s: Tensor, lam: float) -> Tensor:
    return s.square() / (s.square() + lam)


def _score(
    U: Tensor,
    s: Tensor,
    y: Tensor,
    lam: float,
    kept: Callable[[Tensor, float], Tensor] = _kept,
    power: int = 2,
    samples: int = 0,
    outside: bool = True,
) -> float:
    """m ||y - E x||^2 / (m - sum of kept)^2; the residual is split into what U can say and the rest."""
    f, said, m = kept(s, lam), (U.mH @ y).abs().square(), samples or len(y)
    rest = y.abs().square().sum() - said.sum() if outside else 0.0
    return float(m * (((1 - f).square() * said).sum() + rest) / (m - f.sum()) ** power)


def _decomposed() -> list[tuple[Tensor, Tensor, Tensor, float]]:
    systems = zip(_systems((7, 4), (12, 5), (6, 6)), (0.3, 2.0, 0.5), strict=True)
    return [(*torch.linalg.svd(E, full_matrices=False)[:2], y, lam) for (E, y, _), lam in systems]


ch02_gcv = Exercise(
    reference=lambda U, s, y, lam: _score(U, s, y, lam),
    cases=_decomposed,
    mistakes={
        "filter factor of the image: the image gets s / (s^2 + lam), its data one more s": lambda U, s, y, lam: _score(
            U, s, y, lam, lambda s, lam: s / (s.square() + lam)
        ),
        "factors upside down: s^2 / (s^2 + lam) is near 1 where a pattern is seen well": lambda U, s, y, lam: _score(
            U, s, y, lam, lambda s, lam: lam / (s.square() + lam)
        ),
        "lambda squared: s^2 is compared with lam": lambda U, s, y, lam: _score(U, s, y, lam**2),
        "data outside U forgotten: no image explains that part of y, it stays in the residual": lambda U, s, y, lam: (
            _score(U, s, y, lam, outside=False)
        ),
        "pixels counted: m is the number of samples": lambda U, s, y, lam: _score(U, s, y, lam, samples=len(s)),
        "square missing below: the denominator is (m - sum of f)^2": lambda U, s, y, lam: _score(U, s, y, lam, power=1),
        "m missing: the residual is multiplied by the number of samples": lambda U, s, y, lam: (
            _score(U, s, y, lam) / len(y)
        ),
        "not conjugated: the adjoint of U is U.mH": lambda U, s, y, lam: (
            len(y) * (y - U @ (_kept(s, lam) * (U.mT @ y))).abs().square().sum() / (len(y) - _kept(s, lam).sum()) ** 2
        ),
        "residual not squared: it is a squared length": lambda U, s, y, lam: (
            (_score(U, s, y, lam, power=1) * len(y)) ** 0.5 / (len(y) - _kept(s, lam).sum()) ** 1.5
        ),
        "the data, not the residual: take what the image explains away from y": lambda U, s, y, lam: (
            len(y) * (_kept(s, lam) * (U.mH @ y)).abs().square().sum() / (len(y) - _kept(s, lam).sum()) ** 2
        ),
    },
)
