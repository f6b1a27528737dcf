"""Chapter 12 as learners write it: another right solution of each exercise, and planted mistakes."""

import torch
from torch import nn
from torch.nn.functional import conv2d

from course_lib.blocks import REACH, Interpolator
from course_lib.methods.kspace.raki import RAKI
from course_lib.solve import grappa


def network(k, weights, R, act=torch.relu, last=lambda v: v, keep=lambda k, R: k):
    """The dilation written out: every R-th line on its own, side by side afterwards."""
    layers = []
    for i, w in enumerate(weights):
        layer = nn.Conv2d(w.shape[1], w.shape[0], w.shape[2:], dilation=(1, R), bias=False)
        layer.weight = nn.Parameter(w)
        layers += [layer] + ([nn.ReLU()] if i < 2 and act is torch.relu else [])
    return last(nn.Sequential(*layers)(k))


def objective(linear, correction, T, eta):
    both = torch.linalg.vector_norm(linear + correction - T) ** 2
    return (both + eta * torch.linalg.vector_norm(T - linear) ** 2) / T.numel()


def split(d):
    real, imag = d.real, d.imag
    noise = real.var(0) + imag.var(0)
    n = d.shape[0]
    return real.mean(0) ** 2 + imag.mean(0) ** 2 - noise - noise / n, noise


class Learner(RAKI):
    """Adam as torch has it, the loss as the mean over real numbers, twice."""

    scale, on, part = True, "block", "both"

    def learn(self, y, mask, watch=None):
        k, T, R = grappa.pairs(y, mask, REACH)
        if self.on == "random":
            k = k.roll(1, -1)
        size = torch.linalg.vector_norm(T) / T.numel() ** 0.5 if self.scale else 1.0
        f = Interpolator(y.shape[1], R - 1, self.widths, self.act)
        optimiser = torch.optim.Adam(f.parameters(), self.lr)
        with torch.enable_grad():
            for _ in range(self.steps if self.part != "untrained" else 0):
                off = torch.view_as_real(f(k / size, R if self.on != "near" else 1)[..., : T.shape[-1]] - T / size)
                loss = 2 * off.square().mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        return f


def changed(**what):
    return type("Changed", (Learner,), what)


class Everything(Learner):
    def learn(self, y, mask, watch=None):
        return super().learn(y, torch.ones_like(mask), watch)


class Shape(RAKI):
    def learn(self, y, mask, watch=None):
        return Interpolator(y.shape[1] + 1, 1)


RIGHT = {"ch12_network": network, "ch12_residual": objective, "ch12_split": split, "ch12_raki": Learner}


def plain(k, weights, R, dilation, acts):
    for w, act in zip(weights, acts):
        k = conv2d(k, w, dilation=dilation)
        k = k.clamp(min=0) if act else k
    return k


WRONG = {
    "ch12_network": {
        "no dilation": lambda k, w, R: plain(k, w, R, 1, (1, 1, 0)),
        "dilation along the rows, too": lambda k, w, R: plain(k, w, R, R, (1, 1, 0)),
        "dilation along the rows": lambda k, w, R: plain(k, w, R, (R, 1), (1, 1, 0)),
        "no activation": lambda k, w, R: plain(k, w, R, (1, R), (0, 0, 0)),
        "activation after the last layer": lambda k, w, R: plain(k, w, R, (1, R), (1, 1, 1)),
        "only one activation": lambda k, w, R: plain(k, w, R, (1, R), (1, 0, 0)),
        "wrong sign": lambda k, w, R: -network(k, w, R),
        "the gradient reaches nothing": lambda k, w, R: network(k.detach(), w, R).detach(),
    },
    "ch12_residual": {
        "eta weighs the sum": lambda a, b, T, eta: eta * objective(a, b, T, 1 / eta),
        "the correction is asked to be T": lambda a, b, T, eta: (
            objective(0 * a, b, T, 0) + eta * objective(a, 0 * b, T, 0)
        ),
        "no word for the linear guess": lambda a, b, T, eta: objective(a, b, T, 0),
        "the correction is kept small": lambda a, b, T, eta: objective(a, b, T, 0) + eta * (b * b.conj()).real.mean(),
        "sum of squares": lambda a, b, T, eta: objective(a, b, T, eta) * T.numel(),
        "square without modulus": lambda a, b, T, eta: (
            ((a + b - T) * (a + b - T)).real.mean() + eta * ((a - T) * (a - T)).real.mean()
        ),
    },
    "ch12_split": {
        "nothing taken away": lambda d: (split(d)[0] + (1 + 1 / len(d)) * split(d)[1], split(d)[1]),
        "the scan's own noise stays": lambda d: (split(d)[0] + split(d)[1], split(d)[1]),
        "the new noise stays": lambda d: (split(d)[0] + split(d)[1] / len(d), split(d)[1]),
        "n instead of n - 1": lambda d: (
            d.mean(0).abs() ** 2 - (1 + 1 / len(d)) * d.var(0, correction=0),
            d.var(0, correction=0),
        ),
        "wrong number of results": lambda d: split(d)[0],
    },
    "ch12_raki": {
        "not scaled": changed(scale=False),
        "neighbours one line apart": changed(on="near"),
        "not trained": changed(part="untrained"),
        "it stops": Shape,
    },
}
