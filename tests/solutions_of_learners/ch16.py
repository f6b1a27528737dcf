"""Chapter 16, as learners write it: solutions that are right in another way, and planted mistakes."""

import torch
from torch import nn

from course_lib.blocks import CoilByCoil, OnComplexChannels, Update, cnn
from course_lib.ops import ifft2c


def dual_prox_by_moreau(v, y, sigma):
    """What the prox of f itself leaves over."""
    p = (v / sigma + y / sigma) / (1 + 1 / sigma)
    return v - sigma * p


def loop(y, A, prox, tau, sigma, iterations):
    """All iterates are kept, and extrapolation is written at the place where it is used."""
    images, d = [A.H(y)], torch.zeros_like(y)
    for _ in range(iterations):
        ahead = images[-1] if len(images) == 1 else images[-1] + (images[-1] - images[-2])
        d = dual_prox_by_moreau(d + sigma * A(ahead), y, sigma)
        images.append(prox(images[-1] - tau * A.H(d), tau))
    return images[-1], d


def loop_with(ahead=lambda new, old, z: 2 * new - old, dual=None, primal=None):
    dual = dual or (lambda d, z, y, A, sigma: (d + sigma * (A(z) - y)) / (1 + sigma))
    primal = primal or (lambda x, d, old, y, A, prox, tau: prox(x - tau * A.H(d), tau))

    def wrong(y, A, prox, tau, sigma, iterations):
        x = z = A.H(y)
        d = 0 * y
        for _ in range(iterations):
            before = d
            d = dual(d, z, y, A, sigma)
            new = primal(x, d, before, y, A, prox, tau)
            z, x = ahead(new, x, z), new
        return x, d

    return wrong


def primal_first(y, A, prox, tau, sigma, iterations):
    x = z = A.H(y)
    d = 0 * y
    for _ in range(iterations):
        new = prox(x - tau * A.H(d), tau)
        z, x = 2 * new - x, new
        d = (d + sigma * (A(z) - y)) / (1 + sigma)
    return x, d


def misfit(x, y, A, sigma):
    """The mean over the samples that were acquired, picked out."""
    return (((A(x) - y) / sigma).abs() ** 2)[A.mask.expand(y.shape) > 0].mean()


def energy(x, y, A):
    return ((A(x) - y).abs() ** 2).sum()


class Memories(nn.Module):
    """PD-Net with its memories as lists."""

    def __init__(self, iterations=10, width=32, depth=3, memory=5):
        super().__init__()
        self.memory, self.dual, self.primal = memory, nn.ModuleList(), nn.ModuleList()
        for _ in range(iterations):
            dual, primal = (cnn(width, depth, 2 * (memory + more), outside=2 * memory) for more in (2, 1))
            self.dual.append(CoilByCoil(OnComplexChannels(dual)))
            self.primal.append(OnComplexChannels(primal))

    def back(self, d, A):
        return (A.maps.conj() * ifft2c(d)).sum(1)

    def step(self, i, x, d, y, A):
        more = self.dual[i](torch.stack([*d, A(x[1]), y], 2))
        d = [a + more[:, :, j] for j, a in enumerate(d)]
        more = self.primal[i](torch.stack([*x, self.back(d[0], A)], 1))
        return [a + more[:, j] for j, a in enumerate(x)], d

    def forward(self, y, A):
        x, d = [A.H(y)] * self.memory, [torch.zeros_like(y)] * self.memory
        for i in range(len(self.dual)):
            x, d = self.step(i, x, d, y, A)
        return x[0]


def pd(**methods):
    return type("Mine", (Memories,), methods)


def _step(self, i, x, d, seen, A, old=1.0):
    more = self.dual[i](torch.stack(seen, 2))
    d = [old * a + more[:, :, j] for j, a in enumerate(d)]
    more = self.primal[i](torch.stack([*x, self.back(d[0], A)], 1))
    return [old * a + more[:, j] for j, a in enumerate(x)], d


def shared(self, y, A):
    x, d = [A.H(y)] * self.memory, [torch.zeros_like(y)] * self.memory
    for _ in self.dual:
        x, d = self.step(0, x, d, y, A)
    return x[0]


def cut(self, y, A):
    x, d = [A.H(y)] * self.memory, [torch.zeros_like(y)] * self.memory
    for i in range(len(self.dual)):
        x, d = self.step(i, x, d, y, A)
        x = [a.detach() for a in x]
    return x[0]


class Machine(nn.Module):
    """RIM with a residual instead of the normal operator."""

    def __init__(self, iterations=8, width=64):
        super().__init__()
        self.iterations, self.h = iterations, Update(width)

    def gradient(self, x, y, A):
        return A.H(A(x) - y)

    def steps(self, y, A):
        images, memory = [A.H(y)], []
        for _ in range(self.iterations):
            x = images[-1]
            change, memory = self.h(self.gradient(x, y, A), x, memory or None)
            images.append(x + change)
        return images[1:]


def rim(**methods):
    return type("Mine", (Machine,), methods)


def forgetful(self, y, A):
    x, images = A.H(y), []
    for _ in range(self.iterations):
        x = x + self.h(self.gradient(x, y, A), x)[0]
        images.append(x)
    return images


def replaced(self, y, A):
    x, memory, images = A.H(y), None, []
    for _ in range(self.iterations):
        x, memory = self.h(self.gradient(x, y, A), x, memory)
        images.append(x)
    return images


def with_the_first(self, y, A):
    return [A.H(y), *Machine.steps(self, y, A)][:-1]


def exchanged(self, y, A):
    x, memory, images = A.H(y), None, []
    for _ in range(self.iterations):
        change, memory = self.h(x, self.gradient(x, y, A), memory)
        x = x + change
        images.append(x)
    return images


RIGHT = {
    "ch16_dual_prox": dual_prox_by_moreau,
    "ch16_pdhg": loop,
    "ch16_misfit": misfit,
    "ch16_pd_net": Memories,
    "ch16_rim": Machine,
}

WRONG = {
    "ch16_dual_prox": {
        "the prox of f itself": lambda v, y, sigma: (v + sigma * y) / (sigma + 1),
        "sigma is missing at y": lambda v, y, sigma: (v - y) / (sigma + 1),
        "nothing is divided": lambda v, y, sigma: v - sigma * y,
        "another step": lambda v, y, sigma: (v - y / sigma) / (1 + 1 / sigma),
        "one half is lost or doubled": lambda v, y, sigma: (v - sigma * y) / (1 + 2 * sigma),
        "conjugate": lambda v, y, sigma: ((v - sigma * y) / (1 + sigma)).conj(),
    },
    "ch16_pdhg": {
        "no extrapolation": loop_with(ahead=lambda new, old, z: new),
        "extrapolated backwards": loop_with(ahead=lambda new, old, z: old - (new - old)),
        "extrapolated from z": loop_with(ahead=lambda new, old, z: new + (new - z)),
        "the old d": loop_with(primal=lambda x, d, old, y, A, prox, tau: prox(x - tau * A.H(old), tau)),
        "the primal step first": primal_first,
        "d is not used": loop_with(primal=lambda x, d, old, y, A, prox, tau: prox(x - tau * (A.N(x) - A.H(y)), tau)),
        "wrong direction": loop_with(primal=lambda x, d, old, y, A, prox, tau: prox(x + tau * A.H(d), tau)),
        "no prox": loop_with(primal=lambda x, d, old, y, A, prox, tau: x - tau * A.H(d)),
        "d forgets": loop_with(dual=lambda d, z, y, A, sigma: (A(z) - y) * sigma / (1 + sigma)),
        "d is not shrunk": loop_with(dual=lambda d, z, y, A, sigma: d + sigma * A(z) - sigma * y),
        "tau inside the prox is missing": loop_with(
            primal=lambda x, d, old, y, A, prox, tau: prox(x - tau * A.H(d), 1.0)
        ),
        "wrong number of results": lambda *arguments: loop(*arguments)[:1],
    },
    "ch16_misfit": {
        "missing samples are counted": lambda x, y, A, sigma: ((A(x) - y).abs() ** 2).mean() / sigma**2,
        "one coil is counted": lambda x, y, A, sigma: (
            energy(x, y, A) / A.mask.expand(len(y), 1, *y.shape[2:]).sum() / sigma**2
        ),
        "the mask of one line is counted": lambda x, y, A, sigma: energy(x, y, A) / A.mask.sum() / sigma**2,
        "sigma is a standard deviation": lambda x, y, A, sigma: misfit(x, y, A, sigma) * sigma,
        "a root is taken": lambda x, y, A, sigma: misfit(x, y, A, sigma) ** 0.5,
        "a sum, not a mean": lambda x, y, A, sigma: energy(x, y, A) / sigma**2,
    },
    "ch16_pd_net": {
        "A^H throws the missing samples away": pd(back=lambda self, d, A: A.H(d)),
        "the first image goes to k-space": pd(
            step=lambda self, i, x, d, y, A: _step(self, i, x, d, [*d, A(x[0]), y], A)
        ),
        "the memory is lost": pd(step=lambda self, i, x, d, y, A: _step(self, i, x, d, [*d, A(x[1]), y], A, 0.0)),
        "y in the place of A x": pd(step=lambda self, i, x, d, y, A: _step(self, i, x, d, [*d, y, A(x[1])], A)),
        "the residual in the place of A x": pd(
            step=lambda self, i, x, d, y, A: _step(self, i, x, d, [*d, A(x[1]) - y, y], A)
        ),
        "the first networks in every iteration": pd(forward=shared),
        "the gradient stops between iterations": pd(forward=cut),
        "it returns nothing": pd(forward=lambda self, y, A: None),
    },
    "ch16_rim": {
        "the memory is lost": rim(steps=forgetful),
        "y is missing": rim(gradient=lambda self, x, y, A: A.H(A(x))),
        "wrong sign": rim(gradient=lambda self, x, y, A: A.H(y - A(x))),
        "always the first gradient": rim(gradient=lambda self, x, y, A: A.H(A(A.H(y)) - y)),
        "x is replaced": rim(steps=replaced),
        "image and gradient exchanged": rim(steps=exchanged),
        "only the last image": rim(steps=lambda self, y, A: Machine.steps(self, y, A)[-1:]),
        "the first image is A^H y": rim(steps=with_the_first),
    },
}
