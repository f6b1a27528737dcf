"""Chapter 06: a real network on complex images, the receptive field, the gradient of one layer."""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn

from ...blocks import OnComplex, as_complex, as_real
from ..exercise import Exercise
from .cases import images


def _convolution() -> nn.Conv2d:
    """Two channels to two, its weights the same at every call; the random numbers of the caller stay as they are."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return nn.Conv2d(2, 2, 3, padding=1)


def _interleaved(image: Tensor) -> Tensor:
    """The channel last in memory, as torch.view_as_real has it, and then only renamed."""
    return as_real(image).movedim(1, -1).reshape(len(image), 2, *image.shape[1:])


ch06_complex = Exercise(
    reference=lambda net, image: OnComplex(net)(image),
    cases=lambda: [
        *((_convolution(), x) for x in images((8, 8), (6, 5))),
        (_convolution(), torch.cat(list(images((4, 7), (4, 7))))),
    ],
    mistakes={
        "the imaginary part is not handed over: the second channel is the imaginary part": lambda net, image: OnComplex(
            net
        )(image.real + 0j),
        "magnitude and phase handed over: the phase jumps by 2 pi where the image does not; take real and imaginary "
        "part": lambda net, image: OnComplex(net)(torch.complex(image.abs(), image.angle())),
        "channels exchanged: the real part comes first, going in and coming out": lambda net, image: as_complex(
            net(as_real(image).flip(1)).flip(1)
        ),
        "reshaped, not moved: a channel that stands last in memory must be moved to axis 1, with movedim or "
        "permute": lambda net, image: as_complex(net(_interleaved(image))),
        "the imaginary part is not taken back: the second channel of the answer is it": lambda net, image: (
            OnComplex(net)(image).real + 0j
        ),
    },
    differentiable=True,
)


def _field(kernels: Sequence[int], strides: Sequence[int]) -> int:
    return 1 + sum((k - 1) * prod(strides[:i]) for i, k in enumerate(kernels))


ch06_field = Exercise(
    reference=_field,
    cases=lambda: [
        ((3,), (1,)),
        ((9, 5, 5), (1, 1, 1)),
        ((3, 3, 3), (1, 2, 1)),
        ((4, 3, 5), (2, 3, 1)),
        ((5, 3), (1, 2)),
    ],
    mistakes={
        "kernels added up: a layer adds k - 1, since it also sees the pixel that it starts from": lambda k, s: sum(k),
        "strides ignored: after a stride of 2 one step is two pixels of the input": lambda k, s: (
            1 + sum(kernel - 1 for kernel in k)
        ),
        "stride too early: a layer's stride spreads the layers after it, not its own kernel": lambda k, s: (
            1 + sum((kernel - 1) * prod(s[: i + 1]) for i, kernel in enumerate(k))
        ),
        "only the stride before counts: strides multiply, from the first layer on": lambda k, s: (
            1 + sum((kernel - 1) * before for kernel, before in zip(k, (1, *s)))
        ),
        "the pixel itself is missing: without any layer, one pixel is seen": lambda k, s: _field(k, s) - 1,
        "one side only: the field has two sides and a middle": lambda k, s: _field(k, s) // 2,
        "layers in reverse: strides of the layers before it spread a kernel": lambda k, s: _field(k[::-1], s[::-1]),
    },
)


def _gradient(W: Tensor, P: Tensor, T: Tensor) -> Tensor:
    """By autograd."""
    W = W.detach().clone().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(((W @ P).relu() - T).square().mean(), W)[0]


def _layers(*sizes: tuple[int, int, int]) -> list[tuple[Tensor, Tensor, Tensor]]:
    """W (out, in), P (in, pixels), T (out, pixels) for each (out, in, pixels)."""
    rng = torch.Generator().manual_seed(5)
    return [
        (
            torch.randn(outputs, inputs, generator=rng),
            torch.randn(inputs, pixels, generator=rng),
            torch.randn(outputs, pixels, generator=rng),
        )
        for outputs, inputs, pixels in sizes
    ]


ch06_gradient = Exercise(
    reference=_gradient,
    cases=lambda: _layers((2, 18, 25), (3, 8, 10), (1, 5, 7)),
    mistakes={
        "the error passes everywhere: where the ReLU was off (Z < 0), nothing comes back": lambda W, P, T: (
            2 / T.numel() * ((W @ P).relu() - T) @ P.T
        ),
        "no ReLU in the output: the error is that of relu(W P), and it passes where W P > 0": lambda W, P, T: (
            2 / T.numel() * (W @ P - T) @ P.T
        ),
        "the slope in place of the output: the error is relu(W P) - T": lambda W, P, T: (
            2 / T.numel() * ((W @ P > 0) * 1.0 - T) @ P.T
        ),
        "gate at the truth: the ReLU was on where Z > 0, whatever the truth is": lambda W, P, T: (
            2 / T.numel() * (((W @ P).relu() - T) * (T > 0)) @ P.T
        ),
        "factor 2 missing: the derivative of e^2 is 2 e": lambda W, P, T: _gradient(W, P, T) / 2,
        "not divided: the loss is a mean": lambda W, P, T: _gradient(W, P, T) * T.numel(),
        "divided by the pixels: the mean is over all numbers of T, its rows too": lambda W, P, T: (
            _gradient(W, P, T) * len(T)
        ),
        "uphill: the error is output minus truth": lambda W, P, T: -_gradient(W, P, T),
    },
)
