"""Chapter 04: a step of SPIRiT, and its normal equations for noisy data."""

import torch
from torch import Tensor

from ...ops import fft2c, ifft2c
from ...sampling import random, uniform
from ...solve.spirit import predict
from ..exercise import Exercise
from .cases import images


def _weights(coils: int) -> Tensor:
    return next(images((coils, coils, 3, 3)))


def _masks(*sizes: tuple[int, int]) -> list[Tensor]:
    """Lines for even widths, points for odd ones."""
    return [
        uniform(width, 2, 2) if width % 2 == 0 else random(height * width, 2, 0.1, seed=3).reshape(1, 1, height, width)
        for height, width in sizes
    ]


def _steps() -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
    shapes = (2, 6, 8), (3, 5, 7), (1, 8, 5)
    masks = _masks(*(shape[1:] for shape in shapes))
    return [
        (k, mask * k.flip(-2, -1), mask, _weights(k.shape[1])) for k, mask in zip(images(*shapes), masks)
    ]  # the guess does not agree with the data: a step must put that right


ch04_step = Exercise(
    reference=lambda k, y, mask, w: y + (1 - mask) * predict(k, w),
    cases=_steps,
    mistakes={
        "acquired samples not kept: where the mask is 1 the answer is y": lambda k, y, mask, w: predict(k, w),
        "kept from the guess, not from the data: k may differ from y, y was measured": lambda k, y, mask, w: (
            torch.where(mask > 0, k, predict(k, w))
        ),
        "acquired samples counted twice: G k is for the gaps only": lambda k, y, mask, w: y + predict(k, w),
        "the data predicted, not the guess: G is applied to k, gaps included": lambda k, y, mask, w: torch.where(
            mask > 0, y, predict(y, w)
        ),
        "mask the wrong way round: 1 is acquired": lambda k, y, mask, w: torch.where(mask > 0, predict(k, w), y),
        "the difference, not the prediction: in the gaps the answer is G k": lambda k, y, mask, w: torch.where(
            mask > 0, y, predict(k, w) - k
        ),
        "no prediction: in the gaps the answer is G k, not k": lambda k, y, mask, w: torch.where(mask > 0, y, k),
    },
)


def _mixed(D: Tensor, x: Tensor) -> Tensor:
    return torch.einsum("btchw,bchw->bthw", D, x)


def _minus_one(G: Tensor) -> Tensor:
    return G - torch.eye(G.shape[1])[..., None, None]


def _normal(k: Tensor, mask: Tensor, mu: float, D: Tensor, back: Tensor) -> Tensor:
    return mask * k + mu * fft2c(_mixed(back, _mixed(D, ifft2c(k))))


def _soft(k: Tensor, mask: Tensor, G: Tensor, mu: float) -> Tensor:
    D = _minus_one(G)
    return _normal(k, mask, mu, D, D.transpose(1, 2).conj())


def _in_kspace(k: Tensor, mask: Tensor, G: Tensor, mu: float) -> Tensor:
    D = _minus_one(G)
    return mask * k + mu * _mixed(D.transpose(1, 2).conj(), _mixed(D, k))


def _cases() -> list[tuple[Tensor, Tensor, Tensor, float]]:
    sizes = (2, 6, 8), (3, 5, 7), (2, 8, 5)
    return [
        (k, mask, G, mu)
        for k, mask, G, mu in zip(
            images(*sizes),
            _masks(*(size[1:] for size in sizes)),
            images(*((size[0], *size) for size in sizes)),
            (0.5, 2.0, 10.0),
        )
    ]


ch04_soft = Exercise(
    reference=_soft,
    cases=_cases,
    mistakes={
        "transposed, not conjugated: the adjoint of a complex matrix is both": lambda k, mask, G, mu: _normal(
            k, mask, mu, _minus_one(G), _minus_one(G).transpose(1, 2)
        ),
        "conjugated, not transposed: the adjoint of a matrix of coils sums over the targets": lambda k, mask, G, mu: (
            _normal(k, mask, mu, _minus_one(G), _minus_one(G).conj())
        ),
        "(G - I) twice: the second factor is the adjoint": lambda k, mask, G, mu: _normal(
            k, mask, mu, _minus_one(G), _minus_one(G)
        ),
        "the adjoint first: (G - I)^H (G - I) begins with G - I": lambda k, mask, G, mu: _normal(
            k, mask, mu, _minus_one(G).transpose(1, 2).conj(), _minus_one(G)
        ),
        "identity forgotten: k must agree with G k, so it is G - I that is small": lambda k, mask, G, mu: _normal(
            k, mask, mu, G, G.transpose(1, 2).conj()
        ),
        "identity taken from every pair of coils: I is 1 on the diagonal only": lambda k, mask, G, mu: _normal(
            k, mask, mu, G - 1, (G - 1).transpose(1, 2).conj()
        ),
        "adjoint missing: the gradient of a squared length has both factors": lambda k, mask, G, mu: (
            mask * k + mu * fft2c(_mixed(_minus_one(G), ifft2c(k)))
        ),
        "mask not applied: only acquired samples are compared with the data": lambda k, mask, G, mu: _soft(
            k, torch.ones(1), G, mu
        ),
        "mu on the wrong term: it weighs the agreement of neighbours": lambda k, mask, G, mu: (
            mu * mask * k + _soft(k, 0 * mask, G, 1.0)
        ),
        "no transform: G is a matrix at every pixel of the image, k is k-space": _in_kspace,
    },
)
