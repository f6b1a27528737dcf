"""Chapter 16, the forward passes of PD-Net and RIM: classes that are built, filled with numbers and called."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ...methods.base import Reconstructor, cartesian
from ...methods.unrolled.pd_net import PDNet
from ...methods.unrolled.rim import RIM
from ...ops import Coils, Fourier, Sense
from ..exercise import Exercise
from .ch15 import scans


def _filled(network: Callable[..., Any], settings: dict) -> Any:
    model = network(**settings, width=8)
    rng = torch.Generator().manual_seed(5)
    for p in model.parameters():
        nn.init.normal_(p, std=0.2, generator=rng)
    return model


def _with_gradients(x: Any, model: nn.Module) -> list:
    """Images, and the gradients of their energy with respect to every parameter (0 where none arrives)."""
    if not isinstance(x, Tensor) or not x.requires_grad:
        return [x, *(torch.zeros_like(p) for p in model.parameters())]
    found = torch.autograd.grad(x.abs().square().sum(), list(model.parameters()), allow_unused=True)
    return [x.detach(), *(torch.zeros_like(p) if g is None else g for g, p in zip(found, model.parameters()))]


def _run_pd(network: Callable[..., Any], settings: dict, y: Tensor, A: Sense) -> list:
    model = _filled(network, settings)
    return _with_gradients(model.forward(y, A), model)


def _pd(
    to: Callable = lambda x, A: A(x[:, 1]),
    dual_sees: Callable = lambda d, Ax, y: [d, Ax, y],
    back: Callable = lambda d, A, FS: FS.H(d[:, :, 0]),
    add: Callable = lambda old, change: old + change,
    networks: Callable = lambda model: zip(model.dual, model.primal),
    result: int = 0,
    cut: Callable = lambda x: x,
) -> type[Reconstructor]:
    """PD-Net with one of its lines exchanged."""

    class Wrong(PDNet):
        def forward(self, y, A):
            FS = Fourier() @ Coils(cartesian(A).maps)
            x, d = torch.stack([A.H(y)] * self.memory, 1), torch.stack([0 * y] * self.memory, 2)
            for dual, primal in networks(self):
                d = add(d, dual(torch.cat(dual_sees(d, to(x, A)[:, :, None], y[:, :, None]), 2)))
                x = cut(add(x, primal(torch.cat([x, back(d, A, FS)[:, None]], 1))))
            return x[:, result]

    return Wrong


ch16_pd_net = Exercise(
    reference=PDNet,
    cases=lambda: [({"iterations": 2, "memory": n, "depth": 2}, *scan) for scan, n in zip(scans(), (2, 3))],
    run=_run_pd,
    mistakes={
        "A^H throws the missing samples away: what the dual CNN wrote there is lost; use FS.H": _pd(
            back=lambda d, A, FS: A.H(d[:, :, 0])
        ),
        "the first image goes to k-space: it is the second that does, x[:, 1]": _pd(to=lambda x, A: A(x[:, 0])),
        "another k-space comes back: it is the first, d[:, :, 0]": _pd(back=lambda d, A, FS: FS.H(d[:, :, 1])),
        "the memory is lost: a CNN adds to it": _pd(add=lambda old, change: change),
        "another image is returned: the result is the first, x[:, 0]": _pd(result=1),
        "y in the place of A x: the dual CNN sees d, A x, y, in this order": _pd(dual_sees=lambda d, Ax, y: [d, y, Ax]),
        "the dual CNN does not see A x: nothing tells it what the image would have given": _pd(
            dual_sees=lambda d, Ax, y: [d, 0 * Ax, y]
        ),
        "the residual in the place of A x: subtracting is left to the CNN": _pd(
            dual_sees=lambda d, Ax, y: [d, Ax - y, y]
        ),
        "the first networks in every iteration: each has its own": _pd(
            networks=lambda model: [(model.dual[0], model.primal[0])] * len(model.dual)
        ),
        "the gradient stops between iterations: all are trained together": _pd(cut=lambda x: x.detach()),
    },
)


def _run_rim(network: Callable[..., Any], settings: dict, y: Tensor, A: Sense) -> list:
    model = _filled(network, settings)
    images = model.steps(y, A)
    if not isinstance(images, list) or not all(isinstance(x, Tensor) for x in images):
        return [images]
    return [len(images), *_with_gradients(torch.stack(images) if images else None, model)]


def _rim(
    gradient: Callable = lambda x, first, y, A: A.N(x) - A.H(y),
    remember: bool = True,
    add: Callable = lambda x, change: x + change,
    keep: Callable = lambda images, first: images,
    cut: Callable = lambda x: x,
    order: Callable = lambda h, g, x, state: h(g, x, state),
) -> type[Reconstructor]:
    """RIM with one of its lines exchanged."""

    class Wrong(RIM):
        def steps(self, y, A):
            x, state, found = A.H(y), None, []
            for _ in range(self.iterations):
                change, after = order(self.h, gradient(x, A.H(y), y, A), x, state)
                state = after if remember else None
                x = add(cut(x), change)
                found.append(x)
            return keep(found, A.H(y))

    return Wrong


ch16_rim = Exercise(
    reference=RIM,
    cases=lambda: [({"iterations": n}, *scan) for scan, n in zip(scans(), (3, 4))],
    run=_run_rim,
    mistakes={
        "the memory is lost: h returns a state, and wants it back in the next step": _rim(remember=False),
        "y is missing: the gradient is A^H (A x - y)": _rim(lambda x, first, y, A: A.N(x)),
        "wrong sign: the gradient is A^H (A x - y), and h learns which way to go": _rim(
            lambda x, first, y, A: A.H(y) - A.N(x)
        ),
        "always the first gradient: it is that of the present x": _rim(lambda x, first, y, A: A.N(first) - A.H(y)),
        "x is replaced: h says what to add": _rim(add=lambda x, change: change),
        "image and gradient exchanged: h(g, x, state)": _rim(order=lambda h, g, x, state: h(x, g, state)),
        "only the last image: the loss needs all of them": _rim(keep=lambda images, first: images[-1:]),
        "the first image is A^H y: list what comes after each step": _rim(
            keep=lambda images, first: [first, *images[:-1]]
        ),
        "the gradient stops between steps: h is trained through all of them": _rim(cut=lambda x: x.detach()),
    },
)
