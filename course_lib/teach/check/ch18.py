"""Chapter 18: an unbiased look, the bias of magnitudes, orthogonal matching pursuit, and a new atom."""

from collections.abc import Callable

import torch
from torch import Tensor

from ...sampling import deal, random
from ...solve.dictionary import pursue
from ..exercise import Exercise


def _complex(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


# ---------------------------------------------------------------- an image that is right on average
Weigh = Callable[[int, Tensor, Tensor], Tensor]  # (width, lines of the first look, lines of the second) -> weight


def _whole(weigh: Weigh) -> Callable[..., Tensor]:
    def solution(y: Tensor, mask: Tensor, first: Tensor) -> Tensor:
        ones, twos = first.sum(-1, keepdim=True), (mask - first).sum(-1, keepdim=True)
        return first * y + weigh(y.shape[-1], ones, twos) * (mask - first) * y

    return solution


def _scans() -> list[tuple]:
    found = []
    for width, seed in ((40, 1), (32, 6)):
        mask = torch.cat([random(width, 3, 0.1, seed + i) for i in range(2)])
        found.append((_complex(2, 3, 4, width, seed=seed) * mask, mask, deal(mask, 0.5, 0.1).first))
    return found


ch18_whole = Exercise(
    reference=_whole(lambda width, ones, twos: (width - ones) / twos),
    cases=_scans,
    mistakes={
        "no weight: most lines that the first look lacks are missing in the second, too": _whole(
            lambda width, ones, twos: torch.ones_like(ones)
        ),
        "weight of all lines: those of the first look are there already": _whole(
            lambda width, ones, twos: width / twos
        ),
        "chance instead of its inverse: what is seldom there must count more": _whole(
            lambda width, ones, twos: twos / (width - ones)
        ),
        "all lines weighed: those of the first look are known, they count once": lambda y, mask, first: (
            (y.shape[-1] - first.sum(-1, keepdim=True)) / (mask - first).sum(-1, keepdim=True) * y
        ),
        "the second look alone: the lines of the first are missing": lambda y, mask, first: (
            (y.shape[-1] - first.sum(-1, keepdim=True)) / (mask - first).sum(-1, keepdim=True) * (mask - first) * y
        ),
        "one weight for the batch: every scan has lines of its own": lambda y, mask, first: (
            first * y + (y.shape[-1] * len(mask) - first.sum()) / (mask - first).sum() * (mask - first) * y
        ),
    },
    differentiable=True,
)


# ---------------------------------------------------------------- magnitudes are biased
def _power(energy: float) -> Callable[[Tensor, float], Tensor]:
    return lambda looks, sigma: (looks.square().mean(0) - energy * sigma**2).clamp_min(0).sqrt()


def _magnitudes() -> list[tuple]:
    return [((2 * (_complex(9, 5, 6, seed=seed) + bright)).abs(), 2 / 2**0.5) for seed, bright in ((1, 0.2), (2, 2.0))]


ch18_magnitude = Exercise(
    reference=_power(2),
    cases=_magnitudes,
    mistakes={
        "mean of magnitudes: noise makes them longer, never shorter, where there is no signal": lambda looks, sigma: (
            looks.mean(0)
        ),
        "noise left in: it adds its energy to the square": _power(0),
        "half of the noise: it has a real and an imaginary part": _power(1),
        "not finite: by chance the difference may be negative": lambda looks, sigma: (
            looks.square().mean(0) - 2 * sigma**2
        ).sqrt(),
        "square root missing: a magnitude is asked for": lambda looks, sigma: (
            looks.square().mean(0) - 2 * sigma**2
        ).clamp_min(0),
        "corrected before the mean: it must be done to the mean, or every clamp adds a bias": lambda looks, sigma: (
            (looks.square() - 2 * sigma**2).clamp_min(0).sqrt().mean(0)
        ),
        "sigma taken from the magnitude: energies add up, magnitudes do not": lambda looks, sigma: (
            looks.mean(0) - sigma
        ).clamp_min(0),
    },
)


# ---------------------------------------------------------------- orthogonal matching pursuit
def _pursued(
    score: Callable[[Tensor, Tensor], Tensor] = lambda r, D: (r @ D.conj()).abs(),
    refit: bool = True,
    from_residual: bool = True,
    energies: bool = False,
) -> Callable[[Tensor, Tensor, int], Tensor]:
    """One patch after the other: choose by `score`, then fit all numbers anew, or not."""

    def one(p: Tensor, D: Tensor, atoms: int) -> Tensor:
        c, r, chosen = torch.zeros(D.shape[1], dtype=D.dtype), p, []
        for _ in range(atoms):
            scores = score((r if from_residual else p)[None], D)[0].clone()
            if not from_residual:
                scores[chosen] = -torch.inf
            chosen.append(int(scores.argmax()))
            if refit:
                S = D[:, chosen]
                c = torch.zeros_like(c)
                c[chosen] = torch.linalg.pinv(S, rtol=1e-5) @ p  # a mistake may choose an atom twice
            else:
                c[chosen[-1]] += D[:, chosen[-1]].conj() @ r
            r = p - D @ c
        return c

    return lambda P, D, atoms: torch.stack([one(p, D, atoms) for p in P])


def _patches() -> list[tuple]:
    found = []
    for pixels, atoms, count in ((6, 9, 3), (8, 8, 2)):
        D = _complex(pixels, atoms, seed=pixels)
        found.append((_complex(12, pixels, seed=count), D / D.norm(dim=0), count))
    return found


ch18_pursue = Exercise(
    reference=lambda P, D, atoms: pursue(P, D, atoms),
    cases=_patches,
    mistakes={
        "numbers not fitted anew: atoms are not orthogonal, each new one changes the others": _pursued(refit=False),
        "always the same residual: what is already explained must not be looked for again": _pursued(
            from_residual=False
        ),
        "real part of the score: an atom with another phase fits as well": _pursued(lambda r, D: (r @ D.conj()).real),
        "score without the conjugate: an inner product conjugates one side": _pursued(lambda r, D: (r @ D).abs()),
        "worst atom first: the largest score fits best": _pursued(lambda r, D: -(r @ D.conj()).abs()),
    },
)


# ---------------------------------------------------------------- a new atom
def _renewed(
    left: Callable[[Tensor, Tensor, Tensor, int], Tensor] = lambda P, D, C, j: (
        P - C @ D.T + torch.outer(C[:, j], D[:, j])
    ),
    everybody: bool = False,
    conjugate: bool = True,
    unit: bool = True,
) -> Callable[..., tuple[Tensor, Tensor]]:
    def solution(P: Tensor, D: Tensor, C: Tensor, j: int) -> tuple[Tensor, Tensor]:
        used = torch.ones(len(P), dtype=torch.bool) if everybody else C[:, j] != 0
        E = left(P, D, C, j) * used[:, None]
        u, s, vh = torch.linalg.svd(E, full_matrices=False)
        d = vh[0] if conjugate else vh[0].conj()
        return (d, s[0] * u[:, 0]) if unit else (s[0] * d, u[:, 0])

    return solution


def _product(solution: Callable, P: Tensor, D: Tensor, C: Tensor, j: int) -> object:
    """What the atom and its numbers make of the patches, which no phase changes, and the atom's length."""
    found = solution(P, D, C, j)
    if not isinstance(found, tuple) or len(found) != 2:
        return found
    d, g = found
    return [torch.outer(g, d), d.norm()]


def _coded() -> list[tuple]:
    return [(P, D, pursue(P, D, count), j) for (P, D, count), j in zip(_patches(), (1, 4))]


ch18_renew = Exercise(
    reference=_renewed(),
    cases=_coded,
    run=_product,
    mistakes={
        "everybody has a say: only the patches that use the atom": _renewed(everybody=True),
        "own share missing: what the atom gave before must be put back": _renewed(lambda P, D, C, j: P - C @ D.T),
        "others not taken away: the atom is for what they leave": _renewed(lambda P, D, C, j: P),
        "conjugate: rows of E are numbers times the atom, without a conjugate": _renewed(conjugate=False),
        "atom not of unit length: the size belongs to the numbers": _renewed(unit=False),
    },
)
