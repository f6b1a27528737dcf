"""Chapter 14: what a convolution in k-space is to the image, data put back, errors by |k|, and KIKI-Net's rounds."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ...methods.base import Reconstructor, cartesian
from ...methods.cross.kiki_net import KIKINet
from ...ops import Coils, Fourier, fft2c, ifft2c
from ..exercise import Exercise
from .cases import images
from .ch15 import scans


# ---------------------------------------------------------------- a convolution in k-space
def _centred(kernel: Tensor, height: int, width: int) -> Tensor:
    """The kernel in the middle of an empty k-space."""
    k = torch.zeros(height, width, dtype=kernel.dtype)
    top, left = height // 2 - kernel.shape[0] // 2, width // 2 - kernel.shape[1] // 2
    k[top : top + kernel.shape[0], left : left + kernel.shape[1]] = kernel
    return k


def _cornered(kernel: Tensor, height: int, width: int) -> Tensor:
    k = torch.zeros(height, width, dtype=kernel.dtype)
    k[: kernel.shape[0], : kernel.shape[1]] = kernel
    return k


ch14_window = Exercise(
    reference=lambda kernel, height, width: ifft2c(_centred(kernel, height, width)) * (height * width) ** 0.5,
    cases=lambda: [(next(images((3, 3)))[0], 8, 6), (next(images((5, 3)))[0], 7, 10)],
    mistakes={
        "size missing: a kernel that is 1 in its middle must give a window of 1": lambda kernel, height, width: ifft2c(
            _centred(kernel, height, width)
        ),
        "wrong direction: from k-space to the image it is the inverse transform": lambda kernel, height, width: (
            fft2c(_centred(kernel, height, width)) * (height * width) ** 0.5
        ),
        "the kernel lies in the corner: its middle belongs to k = 0, (height // 2, width // 2)": lambda kernel, h, w: (
            ifft2c(_cornered(kernel, h, w)) * (h * w) ** 0.5
        ),
        "magnitude only: a shifted kernel gives a window with a phase": lambda kernel, height, width: (
            ifft2c(_centred(kernel, height, width)).abs() * (height * width) ** 0.5
        ),
    },
)  # fmt: skip


# ---------------------------------------------------------------- data consistency with many coils
Blend = Callable[[Tensor, Tensor, Tensor], Tensor]  # (k-space of the image, y, mask) -> k


def _blended(blend: Blend) -> Callable[..., Tensor]:
    return lambda x, y, mask, maps: blend(fft2c(maps * x.unsqueeze(1)), y, mask)


ch14_put_back = Exercise(
    reference=_blended(lambda k, y, mask: torch.where(mask > 0, y, k)),
    cases=lambda: [(A.H(y).flip(-1), y, A.mask, A.maps) for y, A in scans()],
    mistakes={
        "what was filled in is thrown away: where nothing was acquired the image has the word": _blended(
            lambda k, y, mask: mask * y
        ),
        "mask the wrong way round: 1 is acquired": _blended(lambda k, y, mask: torch.where(mask > 0, k, y)),
        "data added, nothing taken away: y takes the place of k": _blended(lambda k, y, mask: k + y),
        "halves: without noise in mind, acquired samples are kept as they are": _blended(
            lambda k, y, mask: torch.where(mask > 0, (k + y) / 2, k)
        ),
        "maps missing: every coil sees the image through its own map": lambda x, y, mask, maps: torch.where(
            mask > 0, y, fft2c(x).unsqueeze(1)
        ),
        "maps conjugated: a coil sees maps * x; the conjugate combines coils": lambda x, y, mask, maps: torch.where(
            mask > 0, y, fft2c(maps.conj() * x.unsqueeze(1))
        ),
        "still images: transform the coil images before y takes its place": lambda x, y, mask, maps: torch.where(
            mask > 0, y, maps * x.unsqueeze(1)
        ),
    },
    differentiable=True,
)


# ---------------------------------------------------------------- the error by distance from the centre of k-space
def _rings(x: Tensor, truth: Tensor, rings: int, centre: tuple[float, float] = (0.5, 0.5)) -> tuple[Tensor, Tensor]:
    """Energy of the error and of the truth in each ring."""
    height, width = x.shape[-2:]
    u, v = (torch.arange(n) / n - (n // 2 / n if c else 0) for n, c in zip((height, width), centre))
    ring = ((u[:, None] ** 2 + v**2).sqrt() / 0.5 * rings).floor().long()
    energy = [fft2c(part).abs().square().sum(0) for part in (x - truth, truth)]
    return tuple(torch.stack([e[ring == i].sum() for i in range(rings)]) for e in energy)  # pyright: ignore


def _by_radius(x: Tensor, truth: Tensor, rings: int) -> Tensor:
    error, energy = _rings(x, truth, rings)
    return (error / energy).sqrt()


def _ratio(change: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda x, truth, rings: change(*_rings(x, truth, rings))


ch14_by_radius = Exercise(
    reference=_by_radius,
    cases=lambda: [(*images((16, 16), (16, 16)), 4), (*images((16, 8), (16, 8)), 3)],
    mistakes={
        "square root missing: an amplitude is asked for, not an energy": _ratio(lambda error, energy: error / energy),
        "not relative: divide by the truth's energy in the same ring": _ratio(lambda error, energy: error.sqrt()),
        "relative to all of k-space: each ring has its own energy": _ratio(
            lambda error, energy: (error / energy.sum()).sqrt()
        ),
        "k = 0 is sought in the corner: it lies at (height // 2, width // 2)": lambda x, truth, rings: torch.div(
            *_rings(x, truth, rings, (0, 0))
        ).sqrt(),
        "magnitudes compared: an error of the phase is an error of k-space": lambda x, truth, rings: torch.div(
            _rings(x.abs() + 0j, truth.abs() + 0j, rings)[0], _rings(x, truth, rings)[1]
        ).sqrt(),
    },
)  # fmt: skip


# ---------------------------------------------------------------- KIKI-Net
def _run(network: Callable, settings: dict, y: Tensor, A) -> object:
    """k-space, the image, and the gradients of its energy for every parameter (0 where none arrives)."""
    model = network(**settings, width=3, depth=2, coils=3)
    rng = torch.Generator().manual_seed(5)
    for p in model.parameters():
        nn.init.normal_(p, std=0.2, generator=rng)
    k = model.kspace(y, A)
    if not isinstance(k, Tensor):
        return k
    x = model(y, A)
    if not x.requires_grad:
        return [k, x, *(torch.zeros_like(p) for p in model.parameters())]
    found = torch.autograd.grad(x.abs().square().sum(), list(model.parameters()), allow_unused=True)
    gradients = (torch.zeros_like(p) if g is None else g for g, p in zip(found, model.parameters()))
    return [k.detach(), x.detach(), *gradients]


def _kiki(
    fill: Callable = lambda k, K, mask: k + K(k),
    clean: Callable = lambda x, I: x + I(x),
    back: Callable = lambda k, y, mask: torch.where(mask > 0, y, k),
    networks: Callable = lambda model: zip(model.K, model.I),
) -> type[Reconstructor]:
    class Wrong(KIKINet):
        def kspace(self, y, A):
            k, FS, mask = y, Fourier() @ Coils(cartesian(A).maps), cartesian(A).mask
            for K, I in networks(self):
                k = fill(k, K, mask)
                x = clean(FS.H(k), I)
                k = back(FS(x), y, mask)
            return k

    return Wrong


ch14_kiki = Exercise(
    reference=KIKINet,
    cases=lambda: [({"rounds": rounds}, *scan) for scan, rounds in zip(scans(), (2, 3))],
    run=_run,
    mistakes={
        "what K filled in is thrown away: it is there for the samples that were not acquired": _kiki(
            lambda k, K, mask: mask * (k + K(k))
        ),
        "k is missing: K adds to its input, k + K(k)": _kiki(lambda k, K, mask: K(k)),
        "x is missing: I adds to its input, x + I(x)": _kiki(clean=lambda x, I: I(x)),
        "the data are never put back: y takes its place after every I": _kiki(back=lambda k, y, mask: k),
        "only the data are left: where nothing was acquired F S x stays": _kiki(back=lambda k, y, mask: mask * y),
        "the first networks in every round: each has weights of its own": _kiki(
            networks=lambda model: [(model.K[0], model.I[0])] * len(model.K)
        ),
        "the gradient stops between rounds: all are trained together": _kiki(
            lambda k, K, mask: k.detach() + K(k.detach())
        ),
        "every round starts anew: it must go on from the k of the one before": _kiki(
            networks=lambda model: list(zip(model.K, model.I))[-1:]
        ),
    },
)
