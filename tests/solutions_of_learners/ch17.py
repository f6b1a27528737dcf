"""Chapter 17, as learners write it: solutions that are right in another way, and planted mistakes."""

import torch
from torch import nn
from torch.nn.functional import conv2d

from course_lib.blocks import Recurrent


def share(own=True, count=True, circle=True, past=True):
    """Frame by frame, line by line."""

    def by_frames(y, mask, reach):
        frames, k = y.shape[2], torch.zeros_like(y)
        for t in range(frames):
            for column in range(y.shape[-1]):
                near = [t + d for d in range(-reach if past else 0, reach + 1)]
                near = [s % frames for s in near] if circle else [s for s in near if 0 <= s < frames]
                found = [y[:, :, s, :, column] for s in near if mask[0, 0, s, 0, column]]
                if own and mask[0, 0, t, 0, column]:
                    found = [y[:, :, t, :, column]] * (1 if count else 2 * reach + 1)
                if found:
                    k[:, :, t, :, column] = sum(found) / (len(found) if count else 2 * reach + 1)
        return k

    return by_frames


def blunted(circle=True, of=lambda v: max(v), divide=True):
    def by_loop(volumes, reach):
        n = len(volumes)
        middles = range(n) if circle else range(reach, n - reach)
        means = [sum(volumes[(t + d) % n] for d in range(-reach, reach + 1)) / (2 * reach + 1) for t in middles]
        stroke = max(means) - min(means)
        return stroke / of(means) if divide else stroke

    return by_loop


def short(volumes, frames):
    means = torch.stack([torch.stack([volumes[t - d] for d in range(frames)]).mean() for t in range(len(volumes))])
    return 1 - means.min() / means.max()


def spread(power=1, divide=lambda mask: mask.sum(), time=True, centre=True):
    """A sum of waves."""

    def waves(mask):
        frames, width = mask.shape
        f, x = (torch.arange(n) - (n // 2 if centre else 0) for n in (frames, width))
        t, k = (torch.arange(n) - n // 2 for n in (frames, width))
        over_time = torch.exp(2j * torch.pi * f[:, None] * t / frames) if time else torch.eye(frames) + 0j
        over_k = torch.exp(2j * torch.pi * k[:, None] * x / width)
        return (over_time @ (mask + 0j) @ over_k / divide(mask)).abs() ** power

    return waves


class Sweeps(Recurrent):
    """Each direction on its own, with the convolution as a function."""

    def over_time(self, u):
        there, back = torch.zeros_like(u[0]), torch.zeros_like(u[0])
        first, second = [], []
        for i in range(len(u)):
            there = self.step(u[i], there)
            back = self.step(u[len(u) - 1 - i], back)
            first.append(there)
            second.insert(0, back)
        return self.joined(torch.stack(first), torch.stack(second))

    def step(self, u, h):
        return (u + conv2d(h, self.T.weight, self.T.bias, padding=1)).clamp_min(0)

    def joined(self, there, back):
        return there + back


def sweeps(**methods):
    return type("Mine", (Sweeps,), methods)


class Iterations(nn.Module):
    """Data consistency by the inverse of a matrix for every row of every frame."""

    def __init__(self, iterations=5, width=64, lam=20.0):
        super().__init__()
        self.iterations, self.f = iterations, Recurrent(width)
        self.lam = nn.Parameter(torch.tensor(lam))

    def forward(self, y, A):
        x, states = A.H(y), None
        for _ in range(self.iterations):
            x, states = self.step(x, states, y, A)
        return x

    def proposed(self, x, states):
        change, states = self.f(torch.stack([x.real, x.imag]).permute(2, 1, 0, 3, 4), states)
        return torch.complex(*change.permute(2, 1, 0, 3, 4)), states

    def solved(self, b, A):
        columns = torch.eye(b[0].numel()).reshape(-1, *b.shape[1:]) + 0j
        films = []
        for i in range(len(b)):
            maps = A.maps if len(A.maps) == 1 else A.maps[i : i + 1]
            H = type(A)(A.mask, maps).N(columns).flatten(1).T
            s = (1 / self.lam) * torch.eye(len(H))
            films.append(torch.linalg.solve(H + s, b[i].flatten()).reshape(b[i].shape))
        return torch.stack(films)

    def step(self, x, states, y, A):
        change, states = self.proposed(x, states)
        return self.solved(A.H(y) + (x + change) / self.lam, A), states


def iterations(**methods):
    return type("Mine", (Iterations,), methods)


def forgetful(self, x, states, y, A):
    x, _ = Iterations.step(self, x, None, y, A)
    return x, None


def held(self, x, states, y, A):
    x, states = Iterations.step(self, x, states, y, A)
    return x, [h.detach() for h in states]


def no_data(self, x, states, y, A):
    change, states = self.proposed(x, states)
    return x + change, states


def no_x(self, x, states, y, A):
    change, states = self.proposed(x, states)
    return self.solved(A.H(y) + change / self.lam, A), states


def anew(self, x, states, y, A):
    change, states = self.proposed(x, states)
    return self.solved(A.H(y) + (A.H(y) + change) / self.lam, A), states


def turned_lam(self, x, states, y, A):
    change, states = self.proposed(x, states)
    return self.solved(A.H(y) + (x + change) * self.lam, A), states


def data_first(self, x, states, y, A):
    x = self.solved(A.H(y) + x / self.lam, A)
    change, states = self.proposed(x, states)
    return x + change, states


RIGHT = {
    "ch17_share": share(),
    "ch17_blunted": blunted(),
    "ch17_spread": spread(),
    "ch17_over_time": Sweeps,
    "ch17_crnn": Iterations,
}

WRONG = {
    "ch17_share": {
        "own lines averaged away": share(own=False),
        "divided by the length of the window": share(count=False),
        "the film is no circle": share(circle=False),
        "one side only": share(past=False),
        "half a window": lambda y, mask, reach: share()(y, mask, reach // 2),
        "only the others": lambda y, mask, reach: share()(y, mask, reach) - y,
        "the gradient reaches nothing": lambda y, mask, reach: share()(y.detach(), mask, reach),
    },
    "ch17_blunted": {
        "over the smallest volume": blunted(of=lambda v: min(v)),
        "stroke volume": blunted(divide=False),
        "only full windows": blunted(circle=False),
        "no mean taken": lambda volumes, reach: blunted()(volumes, 0),
        "window too short": lambda volumes, reach: short(volumes, reach + 1),
        "percent": lambda volumes, reach: blunted()(volumes, reach) * 100,
    },
    "ch17_spread": {
        "not divided": spread(divide=lambda mask: 1),
        "divided by all samples": spread(divide=lambda mask: mask.numel()),
        "orthonormal only": spread(divide=lambda mask: mask.numel() ** 0.5),
        "the middle lies in the corner": spread(centre=False),
        "frame by frame": spread(time=False, divide=lambda mask: mask.sum(1, keepdim=True)),
        "energy": spread(power=2),
        "turned": lambda mask: spread()(mask).T,
    },
    "ch17_over_time": {
        "one direction only": sweeps(joined=lambda self, there, back: there),
        "the way back is not turned round": sweeps(joined=lambda self, there, back: there + back.flip(0)),
        "a mean": sweeps(joined=lambda self, there, back: (there + back) / 2),
        "ReLU missing": sweeps(step=lambda self, u, h: u + self.T(h)),
        "no recurrence": sweeps(step=lambda self, u, h: u.relu()),
        "it returns nothing": sweeps(over_time=lambda self, u: None),
    },
    "ch17_crnn": {
        "the states are forgotten": iterations(step=forgetful),
        "the gradient stops in the states": iterations(step=held),
        "the data are forgotten": iterations(step=no_data),
        "x is missing": iterations(step=no_x),
        "every iteration starts anew": iterations(step=anew),
        "lambda on the wrong side": iterations(step=turned_lam),
        "data consistency before the network": iterations(step=data_first),
        "it stops": iterations(proposed=lambda self, x, states: self.f(x, states)),
    },
}
