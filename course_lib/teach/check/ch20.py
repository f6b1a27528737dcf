"""Chapter 20: the slope of a critic, the cost of what a generator draws, its adaptation, and a second scan."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial

import torch
from torch import Tensor

from ...blocks import Critic, Generator
from ...losses import gradient_penalty
from ...ops import Sense, fft2c
from ...solve.latent import misfit
from ..exercise import Exercise
from .cases import images
from .ch15 import scans


# ---------------------------------------------------------------- the slope of the critic
def _critic(seed: int) -> Critic:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Critic((3, 4))


def _judged() -> list[tuple]:
    real, fake, other = images((8, 8), (8, 8), (8, 8))
    pair = torch.cat([fake, other]), torch.cat([other, real])
    return [(_critic(0), 2 * real, fake, torch.tensor([0.3])), (_critic(1), *pair, torch.tensor([0.9, 0.2]))]


def _slope(critic: Callable, real: Tensor, fake: Tensor, part: Tensor) -> Tensor:
    """The gradient (batch, height, width) of the scores between real (0) and fake (1)."""
    between = torch.lerp(real, fake, part.to(real)[:, None, None]).detach().requires_grad_()
    return torch.autograd.grad(critic(between).sum(), between, create_graph=True)[0]


def _norm(slope: Tensor) -> Tensor:
    return slope.abs().square().flatten(1).sum(1).sqrt()


Penalty = Callable[[Tensor], Tensor]


def _of_slope(change: Penalty) -> Callable[..., Tensor]:
    return lambda *a: change(_slope(*a))


ch20_penalty = Exercise(
    reference=gradient_penalty,
    cases=_judged,
    mistakes={
        "root missing: the slope is a norm, the square comes after 1 is taken away": _of_slope(
            lambda s: (_norm(s).square() - 1).square().mean()
        ),
        "a mean over pixels: the norm sums over all of them": _of_slope(
            lambda s: (s.abs().square().flatten(1).mean(1).sqrt() - 1).square().mean()
        ),
        "one norm for the batch: each image has a slope of its own": _of_slope(
            lambda s: (s.abs().square().sum().sqrt() - 1).square()
        ),
        "pulled to 0: the slope should be 1": _of_slope(lambda s: _norm(s).square().mean()),
        "not squared: slopes above and below 1 would cancel": _of_slope(lambda s: (_norm(s) - 1).mean()),
        "at the real images: the slope is held between real and fake": lambda critic, real, fake, part: (
            gradient_penalty(critic, real, fake, 0 * part)
        ),
        "at the made images: the slope is held between real and fake": lambda critic, real, fake, part: (
            gradient_penalty(critic, real, fake, 0 * part + 1)
        ),
        "from fake to real: part = 0 is the real image": lambda critic, real, fake, part: gradient_penalty(
            critic, fake, real, part
        ),
    },
    differentiable=True,
)


# ---------------------------------------------------------------- the cost of z
def _drawn(seed: int, size: tuple[int, int]) -> Generator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Generator(size, latent=5, width=8, depth=1)


def _searched() -> list[tuple]:
    rng = torch.Generator().manual_seed(2)
    rows = zip(scans(), ((8, 8), (6, 7)), (0.3, 2.0))
    return [(_drawn(i, n), torch.randn(len(y), 5, generator=rng), y, A, lam) for i, ((y, A), n, lam) in enumerate(rows)]


def _energy(k: Tensor) -> Tensor:
    return k.abs().square().flatten(1).sum(1)


def _cost(data: Callable[[Tensor, Tensor, Sense], Tensor], prior: Callable[[Tensor], Tensor] | None = None) -> Callable:
    prior = prior or (lambda z: z.square().mean(1))
    return lambda G, z, y, A, lam: data(G(z), y, A) + lam * prior(z)


ch20_cost = Exercise(
    reference=_cost(misfit),
    cases=_searched,
    mistakes={
        "lam is missing: far from 0 the generator has never been": _cost(misfit, lambda z: 0 * z[:, 0]),
        "a sum over the numbers of z: the mean does not grow with their count": _cost(
            misfit, lambda z: z.square().sum(1)
        ),
        "not relative: divide by the energy of y": _cost(lambda x, y, A: _energy(A(x) - y)),
        "not squared: the energy of the residual is asked for": _cost(lambda x, y, A: misfit(x, y, A).sqrt()),
        "compared as images: what was not measured says nothing": _cost(
            lambda x, y, A: _energy(x - A.H(y)) / _energy(y)
        ),
        "magnitudes compared: the phase of k-space is measured, too": _cost(
            lambda x, y, A: _energy(A(x).abs() - y.abs()) / _energy(y)
        ),
        "the mask is forgotten: where nothing was acquired, y is 0 and says nothing": _cost(
            lambda x, y, A: _energy(fft2c(A.maps * x[:, None]) - y) / _energy(y)
        ),
        "scans mixed: each has its own cost": lambda *a: _cost(misfit)(*a).mean().expand(len(a[2])),
    },
    differentiable=True,
)  # fmt: skip


# ---------------------------------------------------------------- adaptation
def _adapted(
    G: Generator, z: Tensor, y: Tensor, A: Sense, steps: int, lr: float, own: bool = True,
    moves: tuple[bool, bool] = (True, True), sign: int = 1, loss: Callable = misfit,
) -> Tensor:  # fmt: skip
    """Gradient descent on z and on the weights of a copy; the rest names what may go wrong."""
    mine, z = deepcopy(G) if own else G, z.detach().clone().requires_grad_()
    leaves = [*([z] if moves[0] else []), *(mine.parameters() if moves[1] else [])]
    for _ in range(steps):
        gradients = torch.autograd.grad(loss(mine(z), y, A).sum(), leaves, allow_unused=True)
        with torch.no_grad():
            for p, g in zip(leaves, gradients):
                p -= sign * lr * g
    return mine(z).detach()


def _after(adapt: Callable, seed: int, size: tuple[int, int], *arguments) -> object:
    """The image, and the weights of the generator that everybody else will use."""
    G = _drawn(seed, size)
    x = adapt(G, *arguments)
    return [x.detach(), *(p.detach() for p in G.parameters())] if isinstance(x, Tensor) else x


def _to_adapt() -> list[tuple]:
    rows = []
    for seed, ((y, A), size) in enumerate(zip(scans(), ((8, 8), (6, 7)))):
        z = torch.randn(len(y), 5, generator=torch.Generator().manual_seed(seed))
        rows.append((seed, size, z[:1], y[:1], Sense(A.mask, A.maps[:1]), 3, 0.05))
    return rows


ch20_adapt = Exercise(
    reference=_adapted,
    cases=_to_adapt,
    run=_after,
    mistakes={
        "the weights leak into the next scan: change a copy of G": partial(_adapted, own=False),
        "z stays: it moves together with the weights": partial(_adapted, moves=(False, True)),
        "the weights stay: that is the search without adaptation": partial(_adapted, moves=(True, False)),
        "away from the data: the misfit must fall": partial(_adapted, sign=-1),
        "compared with the zero-filled image: the misfit is one of k-space": partial(
            _adapted, loss=lambda x, y, A: _energy(x - A.H(y)) / _energy(y)
        ),
    },
)


# ---------------------------------------------------------------- a second scan
ch20_again = Exercise(
    reference=lambda x, mask, maps: Sense(mask, maps).N(x),
    cases=lambda: [(A.H(y).flip(-1), A.mask.flip(-1), A.maps) for y, A in scans()],
    mistakes={
        "still k-space: the critic looks at images": lambda x, mask, maps: Sense(mask, maps)(x),
        "the mask is forgotten: everything would have been measured": lambda x, mask, maps: Sense(
            torch.ones_like(mask), maps
        ).N(x),
        "the image is masked: samples lie in k-space": lambda x, mask, maps: mask[:, 0] * x,
        "maps missing: every coil sees the image through its own map": lambda x, mask, maps: Sense(
            mask, torch.ones_like(maps[:, :1])
        ).N(x),
        "coils not combined: conj(maps) weighs them before they are added": lambda x, mask, maps: Sense(
            mask, torch.ones_like(maps)
        ).H(Sense(mask, maps)(x)),
        "the other lines: 1 is acquired": lambda x, mask, maps: Sense(1 - mask, maps).N(x),
        "the first image remains: what was not measured again must go": lambda x, mask, maps: (
            2 * x - Sense(mask, maps).N(x)
        ),
    },
    differentiable=True,
)
