"""Chapter 11: weights from many scans, a network on weighted k-space, virtual coils in order, a loss of regions."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ...methods.base import Reconstructor
from ...methods.kspace.kspace_unet import KSpaceUNet, distance
from ...ops.regions import regions
from ...solve.calibrate import compress, upright
from ..exercise import Exercise
from .cases import images
from .ch15 import scans

Pairs = list[tuple[Tensor, Tensor]]


# ---------------------------------------------------------------- GRAPPA's weights from many scans
def _fitted(S: Tensor, T: Tensor, ridge: float | Tensor, adjoint: Callable = lambda S: S.mH) -> Tensor:
    gram = adjoint(S) @ S
    return torch.linalg.solve(gram + ridge * torch.eye(len(gram)), adjoint(S) @ T)


def _energy(S: Tensor) -> Tensor:
    """The mean energy of a column."""
    return S.abs().square().sum(0).mean()


def _all(pairs: Pairs) -> tuple[Tensor, Tensor]:
    S, T = (torch.cat(parts) for parts in zip(*pairs))
    return S, T


def _learn(change: Callable[[Tensor, Tensor, float], Tensor]) -> Callable[[Pairs, float], Tensor]:
    return lambda pairs, lam: change(*_all(pairs), lam)


def _pairs() -> list[tuple[Pairs, float]]:
    (a, b, c, d, e, f) = (x[0] for x in images((9, 4), (9, 2), (7, 4), (7, 2), (12, 4), (12, 2)))
    return [([(a, b), (c, d)], 0.1), ([(3 * c, d), (e, f), (a, b)], 0.5)]


ch11_learn = Exercise(
    reference=_learn(lambda S, T, lam: _fitted(S, T, lam * _energy(S))),
    cases=_pairs,
    mistakes={
        "each scan on its own: one w must serve all, so add up S^H S and S^H T before solving": lambda pairs, lam: sum(
            _fitted(S, T, lam * _energy(S)) for S, T in pairs
        )
        / len(pairs),
        "only the last scan: add up over all of them": lambda pairs, lam: _learn(
            lambda S, T, lam: _fitted(S, T, lam * _energy(S))
        )(pairs[-1:], lam),
        "ridge missing: lam times the mean energy of a column goes on the diagonal": _learn(
            lambda S, T, lam: _fitted(S, T, 0.0)
        ),
        "ridge not relative: lam is a part of the mean energy of a column": _learn(
            lambda S, T, lam: _fitted(S, T, lam)
        ),
        "conjugate missing: the adjoint of a complex S is S.mH": _learn(
            lambda S, T, lam: _fitted(S, T, lam * (S.mT @ S).diagonal().mean(), lambda S: S.mT)
        ),
    },
)  # fmt: skip


# ---------------------------------------------------------------- the network on weighted k-space
def _run(network: Callable, settings: dict, y: Tensor) -> object:
    """The k-space, and the gradients of its energy for every parameter (0 where none arrives)."""
    model = network(**settings)
    rng = torch.Generator().manual_seed(5)
    for p in model.parameters():
        nn.init.normal_(p, std=0.2, generator=rng)
    k = model.kspace(y)
    if not isinstance(k, Tensor):
        return k
    parameters = list(model.parameters())
    if not k.requires_grad:
        return [k, *(torch.zeros_like(p) for p in parameters)]
    found = torch.autograd.grad(k.abs().square().sum(), parameters, allow_unused=True)
    return [k.detach(), *(torch.zeros_like(p) if g is None else g for g, p in zip(found, parameters))]


def _over(w: Tensor) -> Tensor:
    return torch.where(w > 0, 1 / w, 0)


def _unet(change: Callable[[Tensor, nn.Module, Tensor], Tensor]) -> type[Reconstructor]:
    class Wrong(KSpaceUNet):
        def kspace(self, y):
            return change(y, self.f, distance(y) ** self.power)

    return Wrong


ch11_kspace_unet = Exercise(
    reference=KSpaceUNet,
    cases=lambda: [
        ({"width": 2, "depth": 1, "coils": 2, "power": power}, y) for (y, _), power in zip(scans(), (1.0, 0.5))
    ],
    run=_run,
    tolerance=1e-3,
    mistakes={
        "the weights stay on: what f adds must be divided by w": _unet(lambda y, f, w: y + f(w * y)),
        "no weights on the way in: f sees w y": _unet(lambda y, f, w: y + f(y) * _over(w)),
        "no weights at all: multiply by w, then divide by w": _unet(lambda y, f, w: y + f(y)),
        "y is missing: f adds to the data": _unet(lambda y, f, w: f(w * y) * _over(w)),
        "the centre is lost: where w is 0, y stays": _unet(lambda y, f, w: (w * y + f(w * y)) * _over(w)),
        "the power is ignored: w is the distance to the power of self.power": _unet(
            lambda y, f, w: y + f(distance(y) * y) * _over(distance(y))
        ),
    },
)  # fmt: skip


# ---------------------------------------------------------------- virtual coils in an order
def _ordered(y: Tensor) -> Tensor:
    return upright(*compress(y, y.shape[1]))[0]


def _judged(solution: Callable, y: Tensor) -> object:
    """The virtual coils with the phase taken out, and whether each had its largest sample real and positive."""
    v = solution(y)
    if not isinstance(v, Tensor) or v.shape != y.shape or not v.is_complex():
        return v
    turned = upright(v, torch.eye(v.shape[1], dtype=v.dtype)[None])[0]
    return [turned, torch.tensor(float((turned - v).abs().max() < 1e-3 * v.abs().max()))]


def _eigen(y: Tensor) -> tuple[Tensor, Tensor]:
    """Samples of each coil (batch, coil, samples) and eigenvectors of their covariance, the strongest first."""
    samples = y.flatten(2)
    return samples, torch.linalg.eigh(samples @ samples.mH)[1].flip(2)


def _mixed(matrix: Tensor, samples: Tensor, y: Tensor) -> Tensor:
    return upright((matrix @ samples).reshape(y.shape), matrix)[0]


ch11_order = Exercise(
    reference=_ordered,
    cases=lambda: [
        (torch.stack([g * x for g, x in zip((1, 3, 0.5), images(*[size] * 3))], 1),) for size in ((6, 5), (4, 8))
    ],
    run=_judged,
    tolerance=1e-3,
    mistakes={
        "the phase is left open: turn each virtual coil so that its largest sample is real and positive": lambda y: (
            compress(y, y.shape[1])[0] * 1j
        ),
        "weakest first: eigh sorts upwards": lambda y: _ordered(y).flip(1),
        "conjugate missing: the virtual coils are U^H y, in PyTorch U.mH @ y": lambda y: _mixed(
            _eigen(y)[1].mT, _eigen(y)[0], y
        ),
        "sorted, not mixed: a virtual coil is a sum of all coils": lambda y: upright(
            torch.stack([x[x.abs().square().sum((1, 2)).argsort(descending=True)] for x in y]),
            torch.eye(y.shape[1], dtype=y.dtype)[None],
        )[0],
        "equally strong: keep the virtual coils' energies": lambda y: (
            _ordered(y) / _ordered(y).flatten(2).norm(dim=2)[..., None, None]
        ),
    },
)  # fmt: skip


# ---------------------------------------------------------------- a loss in which every region counts alike
Ratio = Callable[[Tensor, Tensor], Tensor]  # (error, truth) of one region -> its part of the loss


def _relative(of: Ratio, whole: Callable = lambda ring, part: ring * part) -> Callable[..., Tensor]:
    return lambda k, truth, parts: torch.stack(
        [of(whole(ring, (k - truth)[box]), whole(ring, truth[box])) for box, ring in parts]
    ).sum()


def _regions() -> list[tuple]:
    a, b, c, d = (x[None] for x in images((8, 8), (8, 8), (6, 10), (6, 10)))
    return [(a, 2 * b, regions(b, 2)), (c, d, regions(d, 3))]


ch11_regions = Exercise(
    reference=_relative(lambda error, truth: error.norm() ** 2 / truth.norm() ** 2),
    cases=_regions,
    mistakes={
        "square missing: energy over energy": _relative(lambda error, truth: error.norm() / truth.norm()),
        "not relative: divide by the truth's energy in the same region": _relative(
            lambda error, truth: error.norm() ** 2
        ),
        "the ring is ignored: in its box lies the region before it, too": _relative(
            lambda error, truth: error.norm() ** 2 / truth.norm() ** 2, lambda ring, part: part
        ),
        "relative to all of k-space: each region has its own energy": lambda k, truth, parts: sum(
            ((ring * (k - truth)[box]).norm() ** 2 for box, ring in parts), torch.zeros(())
        )
        / truth.norm() ** 2,
        "magnitudes compared: the phase of k-space counts": lambda k, truth, parts: _relative(
            lambda error, truth: error.norm() ** 2 / truth.norm() ** 2
        )(k.abs(), truth.abs(), parts),
        "the mean of the regions: their sum is asked for": lambda k, truth, parts: _relative(
            lambda error, truth: error.norm() ** 2 / truth.norm() ** 2
        )(k, truth, parts)
        / len(parts),
    },
    differentiable=True,
)  # fmt: skip
