"""Chapter 13: counting weights, complex matrices as real ones, dAUTOMAP's forward pass, distance to the transform."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ...blocks import inverse_fourier, real_matrix
from ...methods.base import Reconstructor
from ...methods.direct.dautomap import DAUTOMAP
from ...ops import Sense, fft2c
from ..exercise import Exercise
from .cases import images

Pair = tuple[int, int]


def _count(n: int, inputs: int = 2, layers: int = 1, biases: int = 2, number: int = 2, transforms: int = 4) -> Pair:
    """Weights from `inputs` n^2 numbers to n^2, `layers` more of n^2 to n^2; `transforms` matrices (number n)^2."""
    return (inputs + layers) * n**4 + biases * n**2, transforms * (number * n) ** 2


ch13_count = Exercise(
    reference=_count,
    cases=lambda: [(16,), (64,), (7,)],
    mistakes={
        "complex numbers counted once: a sample is two real numbers, so the first matrix has 2 n^2 columns": lambda n: (
            _count(n, inputs=1)
        ),
        "the second layer is missing: two fully connected layers, n^2 to n^2 the second": lambda n: _count(
            n, layers=0, biases=1
        ),
        "biases are missing: each fully connected layer has n^2 of them": lambda n: _count(n, biases=0),
        "the second layer has two inputs a pixel: what the first one gives is n^2 real numbers": lambda n: _count(
            n, layers=2
        ),
        "one transform only: two of them, each with a matrix for rows and one for columns": lambda n: _count(
            n, transforms=2
        ),
        "complex matrices counted as real: 2n numbers go in and 2n come out": lambda n: _count(n, number=1),
        "growth confused: n^2 pixels squared are n^4": lambda n: (3 * n**2 + 2 * n**2, 16 * n),
    },
)


def _blocks(m: Tensor, *parts: Callable[[Tensor], Tensor]) -> Tensor:
    a, b, c, d = (part(m) for part in parts)
    return torch.cat([torch.cat([a, b], 1), torch.cat([c, d], 1)])


def _minus_imaginary(m: Tensor) -> Tensor:
    return -m.imag


ch13_real = Exercise(
    reference=real_matrix,
    cases=lambda: [(x[0],) for x in images((5, 3), (4, 4))],
    mistakes={
        "the sign of the imaginary part: i times i is -1, in the upper right block": lambda m: _blocks(
            m, torch.real, torch.imag, torch.imag, torch.real
        ),
        "the conjugate matrix: the minus stands in the upper right block": lambda m: _blocks(
            m, torch.real, torch.imag, _minus_imaginary, torch.real
        ),
        "the parts do not mix: a complex product needs all four blocks": lambda m: _blocks(
            m, torch.real, lambda m: 0 * m.imag, lambda m: 0 * m.imag, torch.imag
        ),
        "real and imaginary blocks exchanged: the real part stands on the diagonal": lambda m: _blocks(
            m, torch.imag, torch.real, torch.real, _minus_imaginary
        ),
    },
)


def scans() -> list[tuple[Tensor, Sense]]:
    """(y, A) of two coils, 6 x 8 pixels, a batch of two, some columns missing."""
    x, first, second = (torch.cat(list(images(*[(6, 8)] * 6))[i : i + 2]) for i in (0, 2, 4))
    maps = torch.stack([first, second], 1)
    mask = torch.tensor([1.0, 0, 1, 1, 1, 1, 0, 1]).reshape(1, 1, 1, -1)
    A = Sense(mask, maps / maps.abs().square().sum(1, keepdim=True).sqrt())
    return [(A(x), A)]


def _run(network: Callable[..., Any], y: Tensor, A: Sense) -> list:
    """The image, and how much of the gradient of its energy reaches each parameter."""
    model = network(size=(6, 8), width=3)
    rng = torch.Generator().manual_seed(5)
    for p in model.parameters():
        nn.init.normal_(p, std=0.3, generator=rng)
    x = model.forward(y, A)
    if not isinstance(x, Tensor) or not x.requires_grad:
        return [x, *(torch.zeros_like(p) for p in model.parameters())]
    found = torch.autograd.grad(x.abs().square().sum(), list(model.parameters()), allow_unused=True)
    return [x.detach(), *(torch.zeros_like(p) if g is None else g for g, p in zip(found, model.parameters()))]


def _wrong(forward: Callable[..., Tensor]) -> type[Reconstructor]:
    """dAUTOMAP with this forward pass: (model, combined k-space k, image of the coils) -> image."""

    class Wrong(DAUTOMAP):
        def forward(self, y, A):
            return forward(self, fft2c(A.H(y)), A.H(y))

    return Wrong


def _layers(model: DAUTOMAP, x: Tensor, act: Callable[[int], bool] = lambda i: True, same: int | None = None) -> Tensor:
    for i in range(2):
        x = model.transforms[i if same is None else same](x)
        x = model.act(x) if act(i) else x
    return x


ch13_dautomap = Exercise(
    reference=DAUTOMAP,
    cases=scans,
    run=_run,
    mistakes={
        "it starts at the image: the network is to learn the transform, so it gets k-space": _wrong(
            lambda self, k, image: self.refine(_layers(self, image))
        ),
        "no tanh after the second transform: it follows each of the two": _wrong(
            lambda self, k, image: self.refine(_layers(self, k, lambda i: i == 0))
        ),
        "no tanh at all: two linear maps in a row are one": _wrong(
            lambda self, k, image: self.refine(_layers(self, k, lambda i: False))
        ),
        "the refinement is missing: convolutions end the network": _wrong(lambda self, k, image: _layers(self, k)),
        "one transform used twice: they have their own weights": _wrong(
            lambda self, k, image: self.refine(_layers(self, k, same=0))
        ),
        "both transforms read k-space: the second goes on from the first": _wrong(
            lambda self, k, image: self.refine(self.act(self.transforms[1](k)))
        ),
        "the image is added: there is no skip connection, nothing of the transform is known": _wrong(
            lambda self, k, image: image + self.refine(_layers(self, k))
        ),
    },
)


def _distance(W: Tensor, F: Tensor, scale: Callable[[Tensor, Tensor], Tensor] | None = None) -> Tensor:
    """||W - s F|| / ||W|| at the best complex s, or at another."""
    s = (F.conj() * W).sum() / F.abs().square().sum() if scale is None else scale(W, F)
    return (W - s * F).norm() / W.norm()


def _planes() -> list[tuple[Tensor, Tensor]]:
    """(W, F): a transform with a scale, a phase and errors; and one that is not orthonormal."""
    F = inverse_fourier(6)
    return [(2j * F + 0.3 * x[0], 3 * F) for x in images((6, 6))] + [(F + 1j * F.real, F + 0.5)]


ch13_distance = Exercise(
    reference=_distance,
    cases=_planes,
    run=lambda solution, W, F: float(solution(W, F)),
    mistakes={
        "no scale: W may be any multiple of the transform": lambda W, F: _distance(W, F, lambda W, F: torch.ones(())),
        "a real scale: a common phase does not matter either": lambda W, F: _distance(
            W, F, lambda W, F: (F.conj() * W).sum().real / F.abs().square().sum()
        ),
        "conjugate missing: an inner product of complex numbers conjugates one of them": lambda W, F: _distance(
            W, F, lambda W, F: (F * W).sum() / F.abs().square().sum()
        ),
        "the scale is not the best one: a ratio of norms has no phase": lambda W, F: _distance(
            W, F, lambda W, F: W.norm() / F.norm()
        ),
        "scaled by the wrong norm: the best s divides by the energy of F, not of W": lambda W, F: _distance(
            W, F, lambda W, F: (F.conj() * W).sum() / W.abs().square().sum()
        ),
        "not relative: divide by the norm of W": lambda W, F: _distance(W, F) * W.norm(),
        "squared: take the norm, not the energy": lambda W, F: _distance(W, F) ** 2,
    },
)
