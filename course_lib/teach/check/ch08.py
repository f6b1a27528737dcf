"""Chapter 08: velocity from phase, limits of agreement, a complex convolution and its non-linearity."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from ...clinical import velocity
from ..exercise import Exercise
from .cases import images

Limits = tuple[Tensor, Tensor, Tensor]


def _pairs() -> Iterator[tuple[Tensor, Tensor, float]]:
    """(x0, x1, venc): random images, so that phases are anywhere and their differences wrap."""
    for shape, venc in (((5, 6), 150.0), ((3, 4, 7), 80.0)):
        x0, x1 = images(shape, shape)
        yield x0, x1, venc


def _of(a: Tensor, venc: float) -> Tensor:
    return venc / math.pi * a.angle()


ch08_velocity = Exercise(
    reference=lambda x0, x1, venc: velocity(torch.stack([x0, x1], 1), venc),
    cases=lambda: list(_pairs()),
    mistakes={
        "it wraps: a difference of two angles lies in (-2 pi, 2 pi); the angle of x1 conj(x0) does not": (
            lambda x0, x1, venc: venc / math.pi * (x1.angle() - x0.angle())
        ),
        "wrong direction: the flow runs backwards; which image is conjugated?": lambda x0, x1, venc: _of(
            x0 * x1.conj(), venc
        ),
        "conjugate missing: phases add up, the object's own one stays": lambda x0, x1, venc: _of(x0 * x1, venc),
        "radians: an angle of pi is the velocity venc": lambda x0, x1, venc: (x1 * x0.conj()).angle(),
        "pi missing: an angle of pi is the velocity venc": lambda x0, x1, venc: venc * (x1 * x0.conj()).angle(),
        "half of venc: an angle of pi, not of 2 pi, is the velocity venc": lambda x0, x1, venc: (
            _of(x1 * x0.conj(), venc) / 2
        ),
        "difference of the images: the angle of x1 - x0 is no velocity": lambda x0, x1, venc: _of(x1 - x0, venc),
        "the reference is forgotten: the phase of x1 holds the object's own": lambda x0, x1, venc: _of(x1, venc),
    },
)


def _measured() -> list[tuple[Tensor, Tensor]]:
    rng = torch.Generator().manual_seed(3)
    truth = [60 + 40 * torch.rand(n, generator=rng, dtype=torch.float64) for n in (6, 9)]
    return [(t + 2 + 3 * torch.randn(len(t), generator=rng, dtype=torch.float64), t) for t in truth]


def _limits(d: Tensor, width: Tensor) -> Limits:
    return d.mean(), d.mean() - width, d.mean() + width


ch08_agreement = Exercise(
    reference=lambda m, t: _limits(m - t, 1.96 * (m - t).std()),
    cases=_measured,
    mistakes={
        "the other way round: a positive bias says that the measurement is too large": lambda m, t: _limits(
            t - m, 1.96 * (t - m).std()
        ),
        "one standard deviation: that holds 68 %, 1.96 of them hold 95 %": lambda m, t: _limits(m - t, (m - t).std()),
        "standard error: that is how sure the bias is, not how far one patient may lie off": lambda m, t: _limits(
            m - t, 1.96 * (m - t).std() / len(m) ** 0.5
        ),
        "divided by n: the mean was estimated too, n - 1 differences are left": lambda m, t: _limits(
            m - t, 1.96 * (m - t).std(correction=0)
        ),
        "variance: its root has the unit of the measure": lambda m, t: _limits(m - t, 1.96 * (m - t).var()),
        "limits around 0: they lie around the bias": lambda m, t: (
            (m - t).mean(),
            -1.96 * (m - t).std(),
            1.96 * (m - t).std(),
        ),
        "absolute differences: the bias has a sign": lambda m, t: _limits((m - t).abs(), 1.96 * (m - t).abs().std()),
    },
)


def _kernels() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    for inside, outside, size in ((2, 3, (6, 7)), (1, 2, (5, 5))):
        x, w = images((inside, *size), (outside, inside, 3, 3))
        yield x, w[0].real, w[0].imag


def _convolve(x: Tensor, real: Tensor, imag: Tensor, rr=1, ii=-1, ri=1, ir=1) -> Tensor:
    """Four real convolutions with the signs that a complex product gives them, or with others."""
    part = lambda a, w: conv2d(a, w, padding=1)
    return torch.complex(
        rr * part(x.real, real) + ii * part(x.imag, imag), ri * part(x.real, imag) + ir * part(x.imag, real)
    )


ch08_convolve = Exercise(
    reference=_convolve,
    cases=lambda: list(_kernels()),
    mistakes={
        "sign of the product of imaginary parts: i times i is -1": lambda x, r, i: _convolve(x, r, i, ii=1),
        "conjugate of the kernel: w_r - i w_i was used": lambda x, r, i: _convolve(x, r, i, ii=1, ri=-1),
        "conjugate of the image: a - i b was convolved": lambda x, r, i: _convolve(x, r, i, ii=1, ir=-1),
        "real and imaginary part do not mix: each was convolved with its own kernel": lambda x, r, i: torch.complex(
            conv2d(x.real, r, padding=1), conv2d(x.imag, i, padding=1)
        ),
        "real kernel only: a real kernel cannot turn the phase": lambda x, r, i: _convolve(x, r, 0 * i),
        "sign of the imaginary part: both mixed products are added": lambda x, r, i: _convolve(x, r, i, ir=-1),
    },
    differentiable=True,
)


def _activated() -> Iterator[tuple[Tensor, Tensor]]:
    for shape in ((3, 5, 6), (2, 4, 4)):
        yield next(images(shape)), torch.tensor([-0.8, 0.3, -0.2])[: shape[0]]


def _mod_relu(z: Tensor, b: Tensor) -> Tensor:
    size = z.abs()
    return z / size * (size + b[:, None, None]).relu()


ch08_mod_relu = Exercise(
    reference=_mod_relu,
    cases=lambda: list(_activated()),
    mistakes={
        "the phase is lost: return z / |z| times the new size": lambda z, b: (z.abs() + b[:, None, None]).relu() + 0j,
        "real and imaginary part were cut one by one: that is CReLU, and it changes the phase": lambda z, b: (
            torch.complex(z.real.relu(), z.imag.relu())
        ),
        "no threshold: a size below -b must become 0, not negative": lambda z, b: (
            z / z.abs() * (z.abs() + b[:, None, None])
        ),
        "b added to the number, not to its size: that moves the phase": lambda z, b: z + b[:, None, None],
        "the size is forgotten: |z| + b is the new size, not a factor of z": lambda z, b: (
            z * (z.abs() + b[:, None, None]).relu()
        ),
        "b subtracted: the size grows with b": lambda z, b: _mod_relu(z, -b),
    },
    differentiable=True,
)
