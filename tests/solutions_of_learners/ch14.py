"""Chapter 14, as learners write it: solutions that are right in another way, and planted mistakes."""

import math

import torch
from torch import nn

from course_lib.blocks import OnCoils, OnComplex, cnn


def waves(n):
    k = torch.arange(n) - n // 2
    return torch.exp(-2j * torch.pi * k[:, None] * k / n) / n**0.5


def to_k(x):
    return waves(x.shape[-2]) @ x @ waves(x.shape[-1])


def to_x(k):
    return waves(k.shape[-2]).conj() @ k @ waves(k.shape[-1]).conj()


def window(sign=1, size=1, centre=True, of=lambda kernel: kernel):
    """A sum of waves, one for each tap."""

    def sum_of_waves(kernel, height, width):
        m, n = torch.arange(height) - height // 2, torch.arange(width) - width // 2
        result = torch.zeros(height, width, dtype=torch.complex64)
        for a in range(kernel.shape[0]):
            for b in range(kernel.shape[1]):
                i = a - kernel.shape[0] // 2 if centre else a - height // 2
                j = b - kernel.shape[1] // 2 if centre else b - width // 2
                angle = 2 * math.pi * (i * m[:, None] / height + j * n / width)
                result = result + of(kernel)[a, b] * torch.exp(sign * 1j * angle)
        return result * size if size == 1 else result / (height * width) ** 0.5

    return sum_of_waves


def put_back(x, y, mask, maps):
    """By the difference to what was measured."""
    k = to_k(maps * x[:, None])
    return k + mask * (y - k)


def by_radius(power=0.5, relative=True, centre=True):
    def sums(x, truth, rings):
        height, width = x.shape[-2:]
        error, energy = torch.zeros(rings), torch.zeros(rings)
        E, T = (to_k(part).abs().square()[0] for part in (x - truth, truth))
        for i in range(height):
            for j in range(width):
                u = (i - height // 2 if centre else i) / height
                v = (j - width // 2 if centre else j) / width
                ring = int(2 * rings * math.hypot(u, v))
                if ring < rings:
                    error[ring] += E[i, j]
                    energy[ring] += T[i, j]
        return (error / (energy if relative is True else energy.sum() if relative else 1)) ** power

    return sums


class Rounds(nn.Module):
    def __init__(self, rounds=2, width=64, depth=25, coils=1):
        super().__init__()
        self.K = nn.ModuleList(OnCoils(cnn(width, depth, 2 * coils), coils) for _ in range(rounds))
        self.I = nn.ModuleList(OnComplex(cnn(width, depth)) for _ in range(rounds))

    def kspace(self, y, A):
        k = y
        for i in range(len(self.K)):
            k = self.step(self.K[i], self.I[i], k, y, A)
        return k

    def step(self, K, I, k, y, A):
        k = k + K(k)
        x = (A.maps.conj() * to_x(k)).sum(1)
        return put_back(x + I(x), y, A.mask, A.maps)

    def forward(self, y, A):
        return (A.maps.conj() * to_x(self.kspace(y, A))).sum(1)


def kiki(**methods):
    return type("Mine", (Rounds,), methods)


def bug(self, K, I, k, y, A):
    k = torch.where(A.mask == 0, 0, k + K(k))
    x = (A.maps.conj() * to_x(k)).sum(1)
    return put_back(x + I(x), y, A.mask, A.maps)


def no_k(self, K, I, k, y, A):
    x = (A.maps.conj() * to_x(K(k))).sum(1)
    return put_back(x + I(x), y, A.mask, A.maps)


def no_x(self, K, I, k, y, A):
    x = (A.maps.conj() * to_x(k + K(k))).sum(1)
    return put_back(I(x), y, A.mask, A.maps)


def no_data(self, K, I, k, y, A):
    k = k + K(k)
    x = (A.maps.conj() * to_x(k)).sum(1)
    return to_k(A.maps * (x + I(x))[:, None])


def shared(self, y, A):
    k = y
    for _ in self.K:
        k = self.step(self.K[0], self.I[0], k, y, A)
    return k


def cut(self, y, A):
    k = y
    for K, I in zip(self.K, self.I):
        k = self.step(K, I, k.detach(), y, A)
    return k


RIGHT = {
    "ch14_window": window(),
    "ch14_put_back": put_back,
    "ch14_by_radius": by_radius(),
    "ch14_kiki": Rounds,
}

WRONG = {
    "ch14_window": {
        "size missing": window(size=0),
        "wrong direction": window(sign=-1),
        "the kernel lies in the corner": window(centre=False),
        "magnitude only": lambda kernel, height, width: window()(kernel, height, width).abs(),
        "conjugate": lambda kernel, height, width: window()(kernel, height, width).conj(),
    },
    "ch14_put_back": {
        "what was filled in is thrown away": lambda x, y, mask, maps: torch.where(mask == 0, 0, y),
        "mask the wrong way round": lambda x, y, mask, maps: torch.where(mask == 0, y, to_k(maps * x[:, None])),
        "data added, nothing taken away": lambda x, y, mask, maps: to_k(maps * x[:, None]) + y,
        "maps conjugated": lambda x, y, mask, maps: put_back(x, y, mask, maps.conj()),
        "maps missing": lambda x, y, mask, maps: put_back(x, y, mask, torch.ones_like(maps)),
        "the gradient reaches nothing": lambda x, y, mask, maps: put_back(x.detach(), y, mask, maps),
    },
    "ch14_by_radius": {
        "square root missing": by_radius(power=1),
        "not relative": by_radius(relative=False),
        "relative to all of k-space": by_radius(relative="all"),
        "k = 0 is sought in the corner": by_radius(centre=False),
    },
    "ch14_kiki": {
        "what K filled in is thrown away": kiki(step=bug),
        "k is missing": kiki(step=no_k),
        "x is missing": kiki(step=no_x),
        "the data are never put back": kiki(step=no_data),
        "the first networks in every round": kiki(kspace=shared),
        "the gradient stops between rounds": kiki(kspace=cut),
        "it returns nothing": kiki(kspace=lambda self, y, A: None),
    },
}
