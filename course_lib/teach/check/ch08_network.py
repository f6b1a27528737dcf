"""Chapter 08, the forward pass of the 3-D U-Net: a class that is built, filled with numbers and called."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ...methods.restore.unet_3d import UNet3D
from ...ops import Sense
from ..exercise import Exercise
from .cases import images

Forward = Callable[[Any, Tensor, Sense], Any]


def films() -> list[tuple[Tensor, Sense]]:
    """(y, A) of two coils: two films of three frames, and one of odd sizes; every frame has other lines."""
    found = []
    for batch, size in ((2, (3, 8, 8)), (1, (4, 6, 7))):
        x, first, second = (torch.cat(list(images(*[size] * 6))[i : i + batch]) for i in (0, 2, 4))
        maps = torch.stack([first, second], 1)[:, :, :1]
        mask = (torch.arange(size[0])[:, None, None] + torch.arange(size[2])) % 3 > 0
        A = Sense(mask[None, None].float(), maps / maps.abs().square().sum(1, keepdim=True).sqrt())
        found.append((A(x), A))
    return found


def _run(network: Callable[..., Any], y: Tensor, A: Sense) -> list:
    """The film, and the gradients of its energy with respect to every parameter (0 where none arrives)."""
    model = network(width=2, depth=1)
    rng = torch.Generator().manual_seed(5)
    for p in model.parameters():
        nn.init.normal_(p, std=0.2, generator=rng)
    x = model.forward(y, A)
    if not isinstance(x, Tensor) or not x.requires_grad:
        return [x, *(torch.zeros_like(p) for p in model.parameters())]
    found = torch.autograd.grad(x.abs().square().sum(), list(model.parameters()), allow_unused=True)
    return [x.detach(), *(torch.zeros_like(p) if g is None else g for g, p in zip(found, model.parameters()))]


def _wrong(step: Forward) -> type[UNet3D]:
    return type("Wrong", (UNet3D,), {"forward": step})


def _net(self, m: Tensor) -> Tensor:
    return self.f(m.unsqueeze(1)).squeeze(1)


def _backwards(self, y: Tensor, A: Sense) -> Tensor:
    m = A.H(y).abs()
    return m + _net(self, m.mT).mT + 0j


def _frame_by_frame(self, y: Tensor, A: Sense) -> Tensor:
    m = A.H(y).abs()
    return m + torch.cat([_net(self, frame) for frame in m.split(1, 1)], 1) + 0j


@torch.no_grad()
def _no_gradient(self, y: Tensor, A: Sense) -> Tensor:
    return UNet3D.forward(self, y, A)


ch08_unet_3d = Exercise(
    reference=UNet3D,
    cases=films,
    run=_run,
    mistakes={
        "no residual: the network finds the correction, add it to m": _wrong(
            lambda self, y, A: _net(self, A.H(y).abs()) + 0j
        ),
        "residual subtracted: here the network finds what is to be added": _wrong(
            lambda self, y, A: (m := A.H(y).abs()) - _net(self, m) + 0j
        ),
        "real part for magnitude: sizes are never negative": _wrong(
            lambda self, y, A: (m := A.H(y).real) + _net(self, m) + 0j
        ),
        "the phase is put back: the method returns magnitudes, phase 0": _wrong(
            lambda self, y, A: (A.H(y)).sgn() * ((m := A.H(y).abs()) + _net(self, m))
        ),
        "added to the complex image: the correction belongs to the magnitude": _wrong(
            lambda self, y, A: A.H(y) + _net(self, A.H(y).abs())
        ),
        "frame by frame: all frames pass the network together, time is its first axis": _wrong(_frame_by_frame),
        "height and width exchanged: the axes are batch, channel, time, height, width": _wrong(_backwards),
        "no gradient at all: is there a no_grad?": _wrong(_no_gradient),
    },
)
