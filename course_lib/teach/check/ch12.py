"""Chapter 12: one of RAKI's networks, the objective of residual RAKI, noise told from structured error, and RAKI."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from ...blocks import REACH, Interpolator
from ...methods.kspace.raki import RAKI
from ...sampling import uniform
from ...solve import adam, grappa
from ...solve.gfactor import split
from ..exercise import Exercise


def _random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def _network(k: Tensor, weights: list[Tensor], R: int, dilation: Callable, acts: tuple[Callable, ...]) -> Tensor:
    for w, act in zip(weights, acts):
        k = act(conv2d(k, w, dilation=dilation(R)))
    return k


def _same(v: Tensor) -> Tensor:
    return v


def _along_lines(R: int) -> tuple[int, int]:
    return 1, R


RELUS = (torch.relu, torch.relu, _same)


def _networks() -> list[tuple]:
    found = []
    for R, channels in ((3, 4), (2, 2)):
        shapes = (6, channels, 5, 2), (5, 6, 1, 1), (R - 1, 5, 3, 2)
        found.append((_random(1, channels, 24, 16), [_random(*s, seed=i) for i, s in enumerate(shapes)], R))
    return found


ch12_network = Exercise(
    reference=lambda k, weights, R: _network(k, weights, R, _along_lines, RELUS),
    cases=_networks,
    mistakes={
        "no dilation: neighbours in the block are R lines apart when lines are missing": lambda k, weights, R: _network(
            k, weights, R, lambda R: 1, RELUS
        ),
        "dilation along the rows, too: the readout has no gaps": lambda k, weights, R: _network(
            k, weights, R, lambda R: R, RELUS
        ),
        "dilation along the rows: lines are the last axis": lambda k, weights, R: _network(
            k, weights, R, lambda R: (R, 1), RELUS
        ),
        "no activation: three linear layers are one linear layer": lambda k, weights, R: _network(
            k, weights, R, _along_lines, (_same,) * 3
        ),
        "activation after the last layer: k-space has both signs": lambda k, weights, R: _network(
            k, weights, R, _along_lines, (torch.relu,) * 3
        ),
        "only one activation: there is one after the second layer, too": lambda k, weights, R: _network(
            k, weights, R, _along_lines, (torch.relu, _same, _same)
        ),
    },
    differentiable=True,
)


def _objective(linear: Tensor, correction: Tensor, T: Tensor, eta: float) -> Tensor:
    return (linear + correction - T).abs().square().mean() + eta * (linear - T).abs().square().mean()


def _guesses() -> list[tuple]:
    made = [[_random(1, 2, 3, 4, 5, seed=seed + i, dtype=torch.complex64) for i in range(3)] for seed in (0, 9)]
    return [(*three, eta) for three, eta in zip(made, (0.5, 3.0))]


ch12_residual = Exercise(
    reference=_objective,
    cases=_guesses,
    mistakes={
        "eta weighs the sum: it belongs to the linear guess alone": lambda linear, correction, T, eta: (
            eta * (linear + correction - T).abs().square().mean() + (linear - T).abs().square().mean()
        ),
        "the correction is asked to be T: it is what that guess leaves": lambda linear, correction, T, eta: (
            (correction - T).abs().square().mean() + eta * (linear - T).abs().square().mean()
        ),
        "no word for the linear guess: eta is missing": lambda linear, correction, T, eta: (
            (linear + correction - T).abs().square().mean()
        ),
        "the correction is kept small: eta weighs what the linear guess misses": lambda linear, correction, T, eta: (
            (linear + correction - T).abs().square().mean() + eta * correction.abs().square().mean()
        ),
        "sum of squares: take the mean, so that scans of all sizes are alike": lambda linear, correction, T, eta: (
            (linear + correction - T).abs().square().sum() + eta * (linear - T).abs().square().sum()
        ),
        "square without modulus: the square of a complex number may be negative": lambda linear, correction, T, eta: (
            ((linear + correction - T) ** 2).mean().real + eta * ((linear - T) ** 2).mean().real
        ),
    },
    differentiable=True,
)


def _differences() -> list[tuple]:
    return [(_random(n, 6, 5, seed=n, dtype=torch.complex64) + 0.3 + 0.5j,) for n in (4, 9)]


def _by(bias: Callable[[Tensor, Tensor, int], Tensor], variance: Callable[[Tensor], Tensor]) -> Callable:
    """Another split: bias from (mean, variance, n), the variance from the differences."""

    def solution(d: Tensor) -> tuple[Tensor, Tensor]:
        v = variance(d)
        return bias(d.mean(0), v, len(d)), v

    return solution


def _variance(d: Tensor) -> Tensor:
    return split(d)[1]


ch12_split = Exercise(
    reference=split,
    cases=_differences,
    mistakes={
        "nothing taken away: the mean still holds noise": _by(lambda m, v, n: m.abs().square(), _variance),
        "the scan's own noise stays: it went through the same reconstruction": _by(
            lambda m, v, n: m.abs().square() - v / n, _variance
        ),
        "the new noise stays: n replicas leave 1/n of it in the mean": _by(
            lambda m, v, n: m.abs().square() - v, _variance
        ),
        "mean not subtracted: a variance is about the mean": _by(
            lambda m, v, n: m.abs().square() - (1 + 1 / n) * v, lambda d: d.abs().square().sum(0) / (len(d) - 1)
        ),
        "n instead of n - 1: the mean was estimated from the same replicas": _by(
            lambda m, v, n: m.abs().square() - (1 + 1 / n) * v, lambda d: (d - d.mean(0)).abs().square().mean(0)
        ),
        "magnitudes averaged: noise has a phase, and so has the error": _by(
            lambda m, v, n: m.square() - (1 + 1 / n) * v, lambda d: d.abs().var(0)
        ),
    },
)


def _scans() -> list[tuple]:
    """(settings, k-space, mask) with some structure: neighbours blended by a fixed kernel."""
    found = []
    for R, seed in ((2, 1), (3, 2)):
        k = _random(1, 2, 14, 24, seed=seed, dtype=torch.complex64)
        k = k + k.roll(1, -1) + 0.5j * k.flip(1).roll((1, -1), (-2, -1))
        mask = uniform(24, R, 12, offset=1)
        found.append(({"widths": (4, 3), "steps": 5, "lr": 0.05}, 7 * k * mask, mask))
    return found


def _run(method: Callable, settings: dict, y: Tensor, mask: Tensor) -> Tensor:
    """k-space after the networks that `learn` returns have filled it."""
    with torch.no_grad():
        return grappa.between(y, mask, REACH, method(**settings).learn(y, mask))


def _raki(prepare: Callable, spacing: Callable[[int], int] = lambda R: R, steps: Callable = lambda n: n) -> type:
    """RAKI whose `learn` prepares (y, mask) -> (k, T) and trains with this spacing and so many steps."""

    class Wrong(RAKI):
        def learn(self, y, mask, watch=None):
            k, T, R = prepare(y, mask)
            f = Interpolator(y.shape[1], R - 1, self.widths, self.act)
            n = min(T.shape[-1], f(k, spacing(R)).shape[-1])
            error = lambda: (f(k, spacing(R))[..., :n] - T[..., :n]).abs().square().mean()
            adam(error, f.parameters(), steps(self.steps), self.lr, watch)
            return f

    return Wrong


def _scaled(y: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, int]:
    k, T, R = grappa.pairs(y, mask, REACH)
    size = T.abs().square().mean().sqrt()
    return k / size, T / size, R


def _everything(y: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, int]:
    """All of k-space, zeros in the gaps included, as if it were calibration lines."""
    R = grappa.pairs(y, mask, REACH)[2]
    T = grappa.gaps(y, R, REACH)
    size = T.abs().square().mean().sqrt()
    return y / size, T / size, R


ch12_raki = Exercise(
    reference=RAKI,
    cases=_scans,
    run=_run,
    mistakes={
        "not scaled: with k-space of another size Adam goes another way": _raki(
            lambda y, mask: grappa.pairs(y, mask, REACH)
        ),
        "only T scaled: f then has to learn the factor": _raki(
            lambda y, mask: (grappa.pairs(y, mask, REACH)[0], *_scaled(y, mask)[1:])
        ),
        "neighbours one line apart: in training they lie R lines apart, as in the scan": _raki(
            _scaled, spacing=lambda R: 1
        ),
        "all of k-space: outside the calibration lines T is 0 where nothing was acquired": _raki(_everything),
        "not trained: the networks still hold random numbers": _raki(_scaled, steps=lambda n: 0),
    },
)
