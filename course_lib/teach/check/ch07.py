"""Chapter 07: how alike an artefact is to itself, a walk through a U-Net, the residual network, the feature loss."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, max_pool2d

from ...blocks import Encoder, UNet, as_real
from ...losses import feature
from ...methods.restore.residual_unet import ResidualUNet
from ...ops import Sense
from ..exercise import Exercise
from .cases import images
from .ch15 import scans


def _alike(e: Tensor, power: Callable[[Tensor], Tensor] = lambda k: k.abs().square(), over: bool = True) -> Tensor:
    """|autocorrelation|, shift 0 at [..., 0, 0], over its value there."""
    found = torch.fft.ifft2(power(torch.fft.fft2(e))).abs()
    return found / found[..., :1, :1] if over else found


def _repeated() -> list[tuple]:
    """An image, and one that repeats: half of it is the other half, so a shift finds it again."""
    x, half = images((8, 7), (6, 5))
    return [(x,), (torch.cat([half, 0.5 * half], -1),)]


ch07_alike = Exercise(
    reference=_alike,
    cases=_repeated,
    mistakes={
        "not relative: divide by the value at shift 0, so that 1 means the same": lambda e: _alike(e, over=False),
        "no conjugate: the spectrum times its conjugate, |E|^2; its square is a convolution": lambda e: _alike(
            e, torch.square
        ),
        "no square: the autocorrelation belongs to |E|^2": lambda e: _alike(e, torch.abs),
        "magnitudes correlated: the artefact is complex, and its phase makes copies cancel or add up": lambda e: _alike(
            e.abs()
        ),
        "the real part alone: a correlation of complex images is complex, take its magnitude": lambda e: (
            torch.fft.ifft2(torch.fft.fft2(e).abs().square()).real / e.abs().square().sum((-2, -1), keepdim=True)
        ),
        "shift 0 in the middle: it belongs at [0, 0], where the FFT puts it": lambda e: torch.fft.fftshift(
            _alike(e), (-2, -1)
        ),
    },
    differentiable=True,
)


def _net(depth: int, seed: int) -> UNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return UNet(width=3, depth=depth)


def _walk(
    net: UNet,
    x: Tensor,
    pool: Callable = avg_pool2d,
    join: Callable[[Tensor, Tensor], list[Tensor]] = lambda up, skip: [up, skip],
    last: bool = True,
) -> Tensor:
    """The U-Net, with another pooling, or other things side by side."""
    skips = []
    for scale in net.down:
        x = scale(x)
        skips.append(x)
        x = pool(x, 2)
    x = net.bottom(x)
    for up, merge in zip(net.up, net.merge):
        x = merge(torch.cat(join(up(x), skips.pop()), dim=1))
    return net.last(x) if last else x


def _channels() -> list[tuple[Tensor, int, int]]:
    """Two channels of an image, the depth of a U-Net, the seed of its weights."""
    first, second = (as_real(x) for x in images((8, 12), (8, 8)))
    return [(first, 2, 0), (second, 1, 1)]


ch07_walk = Exercise(
    reference=_walk,
    cases=_channels,
    run=lambda walk, x, depth, seed: walk(_net(depth, seed), x),
    mistakes={
        "another pooling: here the mean of four pixels goes down, avg_pool2d": lambda net, x: _walk(net, x, max_pool2d),
        "no skip connection: what was kept on the way down stands beside what comes up": lambda net, x: _walk(
            net, x, join=lambda up, skip: [up, up]
        ),
        "an empty skip connection: what was kept on the way down stands beside what comes up": lambda net, x: _walk(
            net, x, join=lambda up, skip: [up, 0 * skip]
        ),
        "only the skip connection: nothing comes up from the coarse scales": lambda net, x: _walk(
            net, x, join=lambda up, skip: [skip, skip]
        ),
        "the other order: first what comes up, then what was kept": lambda net, x: _walk(
            net, x, join=lambda up, skip: [skip, up]
        ),
        "added: they stand side by side, torch.cat, and `merge` decides what to take": lambda net, x: _walk(
            net, x, join=lambda up, skip: [up + skip, up + skip]
        ),
        "the last layer is missing: a 1x1 convolution makes the output's channels": lambda net, x: _walk(
            net, x, last=False
        ),
    },
    differentiable=True,
)  # fmt: skip


def _run_network(network: Callable[..., Any], y: Tensor, A: Sense) -> list:
    """The image, and the gradients of its energy with respect to every parameter (0 where none arrives)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = network(width=2, depth=1)
    x = model.forward(y, A)
    if not isinstance(x, Tensor) or not x.requires_grad:
        return [x, *(torch.zeros_like(p) for p in model.parameters())]
    found = torch.autograd.grad(x.abs().square().sum(), list(model.parameters()), allow_unused=True)
    return [x.detach(), *(torch.zeros_like(p) if g is None else g for g, p in zip(found, model.parameters()))]


def _wrong(step: Callable[[Callable, Tensor, Tensor, Any], Tensor]) -> type:
    """The residual network with another last line: (f, x_zf, y, A) -> x."""

    class Wrong(ResidualUNet):
        def forward(self, y, A):
            return step(self.f, A.H(y), y, A)

    return Wrong


ch07_residual = Exercise(
    reference=ResidualUNet,
    cases=lambda: list(scans()),
    run=_run_network,
    mistakes={
        "the image is learned: f finds the artefact, which is taken away from the zero-filled image": _wrong(
            lambda f, x, y, A: f(x)
        ),
        "added: f finds the artefact, and an artefact is taken away": _wrong(lambda f, x, y, A: x + f(x)),
        "the artefact is returned: asked is the image without it": _wrong(lambda f, x, y, A: f(x) - x),
        "the artefact twice: the network sees the zero-filled image itself": _wrong(lambda f, x, y, A: x - f(x - f(x))),
        "magnitude only: f works on complex images, phase included": _wrong(
            lambda f, x, y, A: x - f(x.abs().to(x.dtype))
        ),
        "the data are used again: restoration sees the zero-filled image and nothing else": _wrong(
            lambda f, x, y, A: (z := x - f(x)) - A.H(A(z) - y)
        ),
        "the gradient does not reach the network: is there a detach, or a no_grad?": _wrong(
            lambda f, x, y, A: x - f(x).detach()
        ),
    },
)


def _priced(loss: Callable, x: Tensor, ref: Tensor) -> list:
    """The price, and its gradient with respect to x (0 where none arrives)."""
    encoder = Encoder(width=3, scales=2).requires_grad_(False)
    x = x.clone().requires_grad_()
    price = loss(encoder, x, ref)
    if not isinstance(price, Tensor) or not price.requires_grad:
        return [price, torch.zeros_like(x)]
    return [price.detach(), torch.autograd.grad(price.sum(), x)[0]]


def _features(
    encoder: nn.Module,
    x: Tensor,
    ref: Tensor,
    seen: Callable[[Tensor], Tensor] = torch.abs,
    each: Callable[[Tensor, Tensor], Tensor] = lambda f, w: (f - w).square().sum() / w.square().sum(),
    layers: slice = slice(None),
) -> Tensor:
    """The feature loss with another input, another price of a layer, or some layers only."""
    pairs = list(zip(encoder(seen(x)[:, None]), encoder(seen(ref)[:, None])))
    return torch.stack([each(f, w) for f, w in pairs[layers]]).sum()


def _pairs() -> list[tuple[Tensor, Tensor]]:
    a, b, c, d = images(*[(8, 6)] * 4)
    return [(a, b), (torch.cat([c, a]), torch.cat([d, b]))]


ch07_feature = Exercise(
    reference=lambda encoder, x, ref: feature(encoder)(x, ref),
    cases=_pairs,
    run=_priced,
    mistakes={
        "features of the error: compare the features of two images, not the features of their difference": (
            lambda encoder, x, ref: _features(
                encoder, x.abs() - ref.abs(), ref, lambda v: v if not v.is_complex() else v.abs(),
                lambda f, w: f.square().sum() / w.square().sum(),
            )
        ),
        "one layer only: every layer counts": lambda *a: _features(*a, layers=slice(-1, None)),
        "the first layer only: every layer counts": lambda *a: _features(*a, layers=slice(1)),
        "not relative: a layer with large features would drown the others": lambda *a: _features(
            *a, each=lambda f, w: (f - w).square().mean()
        ),
        "absolute differences: this loss squares them": lambda *a: _features(
            *a, each=lambda f, w: (f - w).abs().sum() / w.abs().sum()
        ),
        "a root too much: the sum of squares, not a norm": lambda *a: _features(
            *a, each=lambda f, w: ((f - w).square().sum() / w.square().sum()).sqrt()
        ),
        "over the wrong image: relative to the features of the truth": lambda *a: _features(
            *a, each=lambda f, w: (f - w).square().sum() / f.square().sum()
        ),
        "the real part: the encoder sees magnitudes": lambda *a: _features(*a, seen=torch.real),
        "the gradient does not reach x: only the truth's features may be cut off": lambda encoder, x, ref: _features(
            encoder, x.detach(), ref
        ),
        "the mean of the layers: their sum is asked": lambda *a: _features(*a) / 2,
    },
)  # fmt: skip
