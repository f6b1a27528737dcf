"""Chapter 11, as learners write it: solutions that are right in another way, and planted mistakes."""

import torch
from torch import nn

from course_lib.blocks import OnCoils, UNet


def learn(pairs, lam):
    """Least squares of everything below each other, the ridge as rows of their own."""
    S, T = (torch.cat(parts) for parts in zip(*pairs))
    ridge = (lam * (S.abs() ** 2).sum() / S.shape[1]) ** 0.5
    S = torch.cat([S, ridge * torch.eye(S.shape[1])])
    T = torch.cat([T, torch.zeros(S.shape[1], T.shape[1], dtype=T.dtype)])
    return torch.linalg.lstsq(S, T).solution


def sums(pairs, lam, adjoint=lambda S: S.mH, relative=True):
    G = sum(adjoint(S) @ S for S, _ in pairs)
    size = G.diagonal().mean() if relative else 1
    return torch.linalg.inv(G + lam * size * torch.eye(len(G))) @ sum(adjoint(S) @ T for S, T in pairs)


class Weighted(nn.Module):
    """The inverse is clamped, not chosen; the distance by `hypot`."""

    def __init__(self, width, depth, coils, power):
        super().__init__()
        self.power, self.f = power, OnCoils(UNet(width, depth, 2 * coils, 2 * coils), coils)

    def weights(self, y):
        rows, columns = y.shape[-2:]
        v = (torch.arange(rows) - rows // 2) / (rows / 2)
        u = (torch.arange(columns) - columns // 2) / (columns / 2)
        return torch.hypot(v[:, None].expand(rows, columns), u.expand(rows, columns)) ** self.power

    def kspace(self, y):
        w = self.weights(y)
        return y + self.f(w * y) / w.clamp_min(1e-9) * (w > 0)


def network(kspace):
    return type("Mine", (Weighted,), {"kspace": kspace})


def off(w):
    return (w > 0) / w.clamp_min(1e-9)


class NoPower(Weighted):
    def weights(self, y):
        self.power = 1
        return super().weights(y)


def order(y):
    """By the singular value decomposition of the samples."""
    samples = y.flatten(2)
    U = torch.linalg.svd(samples, full_matrices=False)[0]
    v = U.mH @ samples
    for coil in v.flatten(0, 1):
        largest = coil[coil.abs().argmax()]
        coil *= largest.conj() / largest.abs()
    return v.reshape(y.shape)


def by(matrix):
    """As `order`, with another matrix made of the singular vectors."""

    def wrong(y):
        samples = y.flatten(2)
        v = (matrix(torch.linalg.svd(samples, full_matrices=False)[0]) @ samples).reshape(y.shape)
        largest = v.flatten(2).gather(2, v.flatten(2).abs().argmax(2, keepdim=True))[..., None]
        return v * largest.conj() / largest.abs()

    return wrong


def strongest_real_coil_first(y):
    picked = y.abs().square().sum((2, 3)).argsort(1, descending=True)
    v = torch.stack([x[i] for x, i in zip(y, picked)])
    largest = v.flatten(2).gather(2, v.flatten(2).abs().argmax(2, keepdim=True))[..., None]
    return v * largest.conj() / largest.abs()


def regional(power=2, relative=True, ring=True, of=lambda x: x):
    def total(k, truth, parts):
        loss = 0
        for box, inside in parts:
            inside = inside if ring else torch.ones_like(inside)
            error, there = (inside * (of(k) - of(truth))[box]).abs(), (inside * of(truth)[box]).abs()
            energy = (there**2).sum() if relative is True else (truth.abs() ** 2).sum() if relative else 1
            loss = loss + ((error**2).sum() / energy) ** (power / 2)
        return loss

    return total


RIGHT = {
    "ch11_learn": learn,
    "ch11_kspace_unet": Weighted,
    "ch11_order": order,
    "ch11_regions": regional(),
}

WRONG = {
    "ch11_learn": {
        "each scan on its own": lambda pairs, lam: torch.stack([sums([pair], lam) for pair in pairs]).mean(0),
        "only the last scan": lambda pairs, lam: sums(pairs[-1:], lam),
        "ridge missing": lambda pairs, lam: sums(pairs, 0),
        "ridge not relative": lambda pairs, lam: sums(pairs, lam, relative=False),
        "conjugate missing": lambda pairs, lam: sums(pairs, lam, adjoint=lambda S: S.T),
    },
    "ch11_kspace_unet": {
        "the weights stay on": network(lambda self, y: y + self.f(self.weights(y) * y)),
        "no weights on the way in": network(lambda self, y: y + self.f(y) * off(self.weights(y))),
        "no weights at all": network(lambda self, y: y + self.f(y)),
        "y is missing": network(lambda self, y: self.f(self.weights(y) * y) * off(self.weights(y))),
        "the centre is lost": network(
            lambda self, y: (self.weights(y) * y + self.f(self.weights(y) * y)) * off(self.weights(y))
        ),
        "not finite": network(lambda self, y: y + self.f(self.weights(y) * y) / self.weights(y)),
        "the power is ignored": NoPower,
    },
    "ch11_order": {
        "the phase is left open": lambda y: torch.linalg.svd(y.flatten(2))[0].mH.matmul(y.flatten(2)).reshape(y.shape),
        "weakest first": by(lambda U: U.mH.flip(1)),
        "conjugate missing": by(lambda U: U.mT),
        "sorted, not mixed": strongest_real_coil_first,
        "equally strong": lambda y: order(y) / order(y).flatten(2).norm(dim=2)[..., None, None],
    },
    "ch11_regions": {
        "square missing": regional(power=1),
        "not relative": regional(relative=False),
        "relative to all of k-space": regional(relative="all"),
        "the ring is ignored": regional(ring=False),
        "magnitudes compared": regional(of=torch.abs),
        "the mean of the regions": lambda k, truth, parts: regional()(k, truth, parts) / len(parts),
        "the gradient reaches nothing": lambda k, truth, parts: regional()(k.detach(), truth, parts),
    },
}
