"""Chapter 07, as learners write it: solutions that are right in another way, and planted mistakes."""

import torch
from torch import nn
from torch.nn.functional import interpolate, max_pool2d

from course_lib.blocks import OnComplex, UNet


def alike_by_shifts(e):
    """Shift, multiply, add up; no Fourier transform."""
    energy = e.abs().square().sum((-2, -1))
    found = [
        [(e.conj() * e.roll((-i, -j), (-2, -1))).sum((-2, -1)).abs() / energy for j in range(e.shape[-1])]
        for i in range(e.shape[-2])
    ]
    return torch.stack([torch.stack(row, -1) for row in found], -2)


def walk_by_recursion(net, x, level=0):
    if level == len(net.down):
        return net.bottom(x)
    here = net.down[level](x)
    coarse = interpolate(here, scale_factor=0.5, mode="area")
    deeper = walk_by_recursion(net, coarse, level + 1)
    back = len(net.down) - 1 - level
    x = net.merge[back](torch.cat((net.up[back](deeper), here), 1))
    return net.last(x) if level == 0 else x


def walk(join=lambda up, skip: torch.cat([up, skip], 1), pool=None, first=False, early=False):
    def walked(net, x):
        kept = []
        for scale in net.down:
            kept += [x] if early else []
            x = scale(x)
            kept += [] if early else [x]
            x = (pool or (lambda v: interpolate(v, scale_factor=0.5, mode="area")))(x)
        x = net.bottom(x)
        for up, merge in zip(net.up, net.merge):
            x = merge(join(up(x), kept.pop(0 if first else -1)))
        return net.last(x)

    return walked


class Residual(nn.Module):
    def __init__(self, width=32, depth=4, loss=None):
        super().__init__()
        self.f = OnComplex(UNet(width, depth))

    def forward(self, y, A):
        zero_filled = A.H(y)
        artefact = self.f(zero_filled)
        return -(artefact - zero_filled)


def residual(forward):
    return type("Mine", (Residual,), {"forward": forward})


def perceptual_by_layers(encoder, x, ref):
    price = 0
    for found, wanted in zip(encoder(x.abs().unsqueeze(1)), encoder(ref.abs().unsqueeze(1))):
        price = price + torch.linalg.vector_norm(found - wanted) ** 2 / torch.linalg.vector_norm(wanted) ** 2
    return price


def perceptual(each, seen=torch.abs):
    def priced(encoder, x, ref):
        return sum(each(f, w) for f, w in zip(encoder(seen(x)[:, None]), encoder(seen(ref)[:, None])))

    return priced


def relative(f, w):
    return ((f - w) ** 2).mean() / (w**2).mean()


RIGHT = {
    "ch07_alike": alike_by_shifts,
    "ch07_walk": walk_by_recursion,
    "ch07_residual": Residual,
    "ch07_feature": perceptual_by_layers,
}

WRONG = {
    "ch07_alike": {
        "not relative": lambda e: torch.fft.ifft2(torch.fft.fft2(e).abs() ** 2).abs(),
        "no conjugate": lambda e: (
            (c := torch.fft.ifft2(torch.fft.fft2(e) * torch.fft.fft2(e)).abs()) / c[..., 0:1, 0:1]
        ),
        "magnitudes correlated": lambda e: alike_by_shifts(e.abs()),
        "shift 0 in the middle": lambda e: torch.fft.fftshift(alike_by_shifts(e), dim=(-2, -1)),
        "the gradient reaches nothing": lambda e: alike_by_shifts(e.detach()),
    },
    "ch07_walk": {
        "another pooling": walk(pool=lambda v: max_pool2d(v, 2)),
        "no skip connection": walk(lambda up, skip: torch.cat([up, up], 1)),
        "an empty skip connection": walk(lambda up, skip: torch.cat([up, torch.zeros_like(up)], 1)),
        "the other order": walk(lambda up, skip: torch.cat([skip, up], 1)),
        "added": walk(lambda up, skip: (up + skip).repeat(1, 2, 1, 1)),
        "it stops": walk(first=True),
        "the gradient reaches nothing": lambda net, x: walk()(net, x).detach(),
    },
    "ch07_residual": {
        "the image is learned": residual(lambda self, y, A: self.f(A.H(y))),
        "added": residual(lambda self, y, A: A.H(y) + self.f(A.H(y))),
        "the artefact is returned": residual(lambda self, y, A: self.f(A.H(y)) - A.H(y)),
        "the data are used again": residual(
            lambda self, y, A: Residual.forward(self, y, A) + A.H(y - A(Residual.forward(self, y, A)))
        ),
        "the gradient does not reach the network": residual(lambda self, y, A: A.H(y) - self.f(A.H(y)).detach()),
        "it stops": residual(lambda self, y, A: A.H(y) - self.f(y)),
    },
    "ch07_feature": {
        "features of the error": lambda encoder, x, ref: sum(
            (a**2).mean() / (w**2).mean()
            for a, w in zip(encoder((x.abs() - ref.abs())[:, None]), encoder(ref.abs()[:, None]))
        ),
        "one layer only": lambda encoder, x, ref: relative(*(encoder(v.abs()[:, None])[-1] for v in (x, ref))),
        "not relative": perceptual(lambda f, w: ((f - w) ** 2).mean()),
        "a root too much": perceptual(lambda f, w: (f - w).norm() / w.norm()),
        "the real part": perceptual(relative, torch.real),
        "the gradient does not reach x": perceptual(lambda f, w: relative(f.detach(), w)),
    },
}  # fmt: skip
