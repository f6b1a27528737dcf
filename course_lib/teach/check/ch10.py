"""Chapter 10: sinc interpolation, a window against ringing, a residual network, errors inside and outside the data."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...methods.restore.sr_unet import SRUNet
from ...ops import Coils, Fourier, Sense, ifft2c
from ...sampling import centre
from ..exercise import Exercise
from .cases import images
from .ch15 import scans

Size = tuple[int, int]


def _interpolate(
    k: Tensor,
    size: Size,
    scale: Callable[[Size, Size], float] = lambda small, large: (large[0] * large[1] / small[0] / small[1]) ** 0.5,
    start: Callable[[int, int], int] = lambda small, large: large // 2 - small // 2,
    back: Callable[[Tensor], Tensor] = ifft2c,
) -> Tensor:
    """Zeros around k-space, the inverse transform, and the factor that keeps intensities."""
    small = (k.shape[-2], k.shape[-1])
    filled = torch.zeros(*k.shape[:-2], *size, dtype=k.dtype)
    top, left = (start(n, m) for n, m in zip(small, size))
    filled[..., top : top + small[0], left : left + small[1]] = k
    return back(filled) * scale(small, size)


ch10_interpolate = Exercise(
    reference=_interpolate,
    cases=lambda: [(k, size) for k, size in zip(images((6, 8), (5, 5)), ((12, 12), (10, 12)))],
    mistakes={
        "the brightness changes: the transform is orthonormal, so the same energy spreads over more pixels": (
            lambda k, size: _interpolate(k, size, scale=lambda small, large: 1.0)
        ),
        "the factor is not a root: energies are squares": lambda k, size: _interpolate(
            k, size, scale=lambda small, large: large[0] * large[1] / small[0] / small[1]
        ),
        "the wrong way round: more pixels, so each is darker; make up for it": lambda k, size: _interpolate(
            k, size, scale=lambda small, large: (small[0] * small[1] / large[0] / large[1]) ** 0.5
        ),
        "zeros at the end: they belong on all sides, n//2 stays n//2": lambda k, size: _interpolate(
            k, size, start=lambda small, large: 0
        ),
        "the middle is off by one: the centre n//2 of the small one goes to the centre of the large one": (
            lambda k, size: _interpolate(k, size, start=lambda small, large: (large - small) // 2)
        ),
        "still k-space: return an image": lambda k, size: _interpolate(k, size, back=lambda filled: filled),
    },
    differentiable=True,
)


def _hann(
    mask: Tensor,
    reach: Callable[[Tensor], Tensor] = lambda mask: mask.sum() / 2,
    middle: Callable[[int], float] = lambda width: width // 2,
    power: float = 1.0,
    cut: bool = True,
) -> Tensor:
    """(1 + cos(pi d / reach)) / 2 of the distance d from the centre, 0 where nothing was measured."""
    d = torch.arange(mask.shape[-1]) - middle(mask.shape[-1])
    weights = ((1 + torch.cos(torch.pi * d / reach(mask))) / 2) ** power
    return weights * mask if cut else weights.expand_as(mask)


ch10_hann = Exercise(
    reference=_hann,
    cases=lambda: [(centre(24, 2),), (centre(31, 3),)],
    mistakes={
        "as wide as the image: the window must end where the data end": lambda mask: _hann(
            mask, lambda m: torch.tensor(m.shape[-1] / 2)
        ),
        "half as wide: it reaches 0 at the edge of the data, half of the lines away from the centre": lambda mask: (
            _hann(mask, lambda m: m.sum() / 4)
        ),
        "not zero at the edge: the cosine reaches -1 there": lambda mask: _hann(mask, lambda m: m.sum()),
        "beyond the edge: the cosine rises again; multiply by the mask": lambda mask: _hann(mask, cut=False),
        "off the centre: k = 0 is line n//2": lambda mask: _hann(mask, middle=lambda width: (width - 1) / 2),
        "a root: that is a cosine window": lambda mask: _hann(mask, power=0.5),
    },
)


def _run_network(network: Callable[..., Any], y: Tensor, A: Sense) -> list:
    """The image, and the gradients of its energy with respect to every parameter (0 where none arrives)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = network(width=2, depth=1)
        for parameter in model.f.last.parameters():
            torch.nn.init.normal_(parameter)
    x = model.forward(y, A)
    if not isinstance(x, Tensor) or not x.requires_grad:
        return [x, *(torch.zeros_like(p) for p in model.parameters())]
    found = torch.autograd.grad(x.abs().square().sum(), list(model.parameters()), allow_unused=True)
    return [x.detach(), *(torch.zeros_like(p) if g is None else g for g, p in zip(found, model.parameters()))]


def _wrong(step: Callable[[Callable, Tensor, Tensor], Tensor]) -> type:
    """The network with other lines after the interpolated image: (f, A^H y, its magnitude) -> (batch, 1, ...)."""

    class Wrong(SRUNet):
        def forward(self, y, A):
            u = A.H(y)
            return step(self.f, u, u.abs().unsqueeze(1)).squeeze(1) + 0j

    return Wrong


ch10_sr_unet = Exercise(
    reference=SRUNet,
    cases=lambda: list(scans()),
    run=_run_network,
    mistakes={
        "the image is learned: f finds what is missing, and the interpolated image stays": _wrong(lambda f, u, m: f(m)),
        "taken away: what f finds is added": _wrong(lambda f, u, m: m - f(m)),
        "the details alone: add them to the interpolated image": _wrong(lambda f, u, m: f(m) - m),
        "the real part: this network sees magnitudes": _wrong(
            lambda f, u, m: u.real.unsqueeze(1) + f(u.real.unsqueeze(1))
        ),
        "the phase comes back: asked is a magnitude": _wrong(lambda f, u, m: u.unsqueeze(1) + f(m)),
        "details of details: f sees the interpolated magnitudes themselves": _wrong(lambda f, u, m: m + f(m + f(m))),
        "the gradient does not reach the network: is there a detach, or a no_grad?": _wrong(
            lambda f, u, m: m + f(m).detach()
        ),
    },
)


def _split(
    x: Tensor,
    truth: Tensor,
    A: Sense,
    seen: Callable[[Tensor], Tensor] = lambda x: x,
    over: Callable[[Tensor, Tensor], Tensor] = lambda part, whole: part,
    size: Callable[[Tensor], Tensor] = lambda k: k.abs().square().sum((1, 2, 3)).sqrt(),
) -> tuple[Tensor, Tensor]:
    """||M e|| / ||M t|| and the same with 1 - M; e and t: k-space of all coils, of the error and of the truth."""
    E = Fourier() @ Coils(A.maps)
    error, whole = E(seen(x) - seen(truth)), E(seen(truth))
    inside, outside = (size(part * error) / size(over(part, 1 + 0 * part) * whole) for part in (A.mask, 1 - A.mask))
    return inside, outside


def _guesses() -> list[tuple[Tensor, Tensor, Sense]]:
    return [(A.H(y), x, A) for (y, A) in scans() for x in [A.H(y).flip(-1) + 0.3]]


ch10_split = Exercise(
    reference=_split,
    cases=_guesses,
    mistakes={
        "over all of the truth: the error outside is compared with what the truth holds outside": lambda x, truth, A: (
            _split(x, truth, A, over=lambda part, whole: whole)
        ),
        "squares: asked is a ratio of norms": lambda x, truth, A: tuple(v**2 for v in _split(x, truth, A)),
        "the two are exchanged: first inside, then outside": lambda x, truth, A: _split(x, truth, A)[::-1],
        "magnitudes: the error of a complex image is complex": lambda x, truth, A: _split(
            x, truth, A, seen=lambda v: v.abs() + 0j
        ),
        "one number for all: every image of a batch has its own": lambda x, truth, A: _split(
            x, truth, A, size=lambda k: k.norm().expand(len(k))
        ),
        "sums of magnitudes: a norm is the root of the sum of squares": lambda x, truth, A: _split(
            x, truth, A, size=lambda k: k.abs().sum((1, 2, 3))
        ),
    },
)
