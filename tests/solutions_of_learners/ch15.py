"""Chapter 15, as learners write it: solutions that are right in another way, and planted mistakes."""

import torch
from torch import nn

import course_lib
from course_lib.blocks import OnComplex, cnn


def keep_by_difference(z, y, mask, lam):
    """Move the acquired samples by lam / (1 + lam) of what is missing; sums instead of transforms of the library."""
    height, width = z.shape[-2:]
    down, across = (_waves(n) for n in (height, width))
    residual = mask * (y - down @ z @ across)
    return z + lam / (1 + lam) * (down.mH @ residual @ across.conj())


def _waves(n):
    k = torch.arange(n) - n // 2
    return torch.exp(-2j * torch.pi * k[:, None] * k / n) / n**0.5


def gradients_by_parts(solve, x, g):
    answer = solve(g)
    return answer, -(answer.real * x.real + answer.imag * x.imag).sum()


def matrix(A, like):
    """A^H A as one matrix, column by column: small images only."""
    n = like[0].numel()
    unit = torch.eye(n, dtype=like.dtype).reshape(n, *like.shape[1:])
    return torch.stack([A.H(A(e[None].expand(len(like), -1, -1))).flatten(1) for e in unit], -1)


class Learner(nn.Module):
    def solve(self, A, shift, b):
        N = matrix(A, b)
        N = N + shift * torch.eye(N.shape[-1])
        return torch.linalg.solve(N, b.flatten(1)).reshape(b.shape)


class Cascades(Learner):
    def __init__(self, cascades=5, width=64, depth=5, lam=20.0, cg_iterations=10):
        super().__init__()
        self.f = nn.ModuleList(OnComplex(cnn(width=width, depth=depth)) for _ in range(cascades))
        self.lam = nn.Parameter(torch.tensor(lam))

    def forward(self, y, A):
        x = A.H(y)
        for network in self.f:
            x = self.solve(A, 1 / self.lam, A.H(y) + (x + network(x)) / self.lam)
        return x


class Shared(Learner):
    def __init__(self, iterations=10, width=64, depth=5, lam=0.05, cg_iterations=10):
        super().__init__()
        self.iterations = iterations
        self.artefact = OnComplex(cnn(width=width, depth=depth))
        self.lam = nn.Parameter(torch.tensor(lam))

    def forward(self, y, A):
        x = A.H(y)
        for _ in range(self.iterations):
            x = self.solve(A, self.lam, A.H(y) + self.lam * (x - self.artefact(x)))
        return x


def dc_cnn(forward):
    return type("Mine", (Cascades,), {"forward": forward})


def modl(forward):
    return type("Mine", (Shared,), {"forward": forward})


def network_last(self, y, A):
    x = A.H(y)
    for network in self.f:
        x = self.solve(A, 1 / self.lam, A.H(y) + x / self.lam)
        x = x + network(x)
    return x


def one_network(self, y, A):
    x = A.H(y)
    for _ in range(len(self.f)):
        x = self.solve(A, 1 / self.lam, A.H(y) + (x + self.f[0](x)) / self.lam)
    return x


def without_skip(self, y, A):
    x = A.H(y)
    for network in self.f:
        x = self.solve(A, 1 / self.lam, A.H(y) + network(x) / self.lam)
    return x


def without_data(self, y, A):
    x = A.H(y)
    for network in self.f:
        x = self.solve(A, 1 / self.lam, (x + network(x)) / self.lam)
    return x


def as_in_modl(self, y, A):
    x = A.H(y)
    for network in self.f:
        x = self.solve(A, 1 / self.lam, A.H(y) + self.lam * (x + network(x)))
    return x


def cut_between(self, y, A):
    x = A.H(y)
    for network in self.f:
        x = x.detach()
        x = self.solve(A, 1 / self.lam, A.H(y) + (x + network(x)) / self.lam)
    return x


@torch.no_grad()
def frozen(self, y, A):
    return Cascades.forward(self, y, A)


def modl_step(right_hand_side):
    def forward(self, y, A):
        x = A.H(y)
        for _ in range(self.iterations):
            x = self.solve(A, self.lam, right_hand_side(self, x, A.H(y)))
        return x

    return modl(forward)


def keep(z, y, mask, acquired, everywhere=None):
    """acquired(k, y) where the mask is 1; everywhere(k) else."""
    down, across = (_waves(n) for n in z.shape[-2:])
    k = down @ z @ across
    k = mask * acquired(k, y) + (1 - mask) * (k if everywhere is None else everywhere(k))
    return down.mH @ k @ across.conj()


def ladder_of_pairs(modl, samples, tried):
    before = modl.iterations
    pairs = []
    for modl.iterations in tried:
        pairs.append(torch.stack([course_lib.metrics.psnr(modl(s.kspace, s.A), s.image).mean() for s in samples]))
    modl.iterations = before
    return [row.mean().item() for row in pairs]


def ladder_with(measure, restore=True, set_it=True):
    """A ladder that measures something else, or leaves something out."""

    def wrong(modl, samples, tried):
        before, found = modl.iterations, []
        for number in tried:
            if set_it:
                modl.iterations = number
            found.append(measure(modl, samples))
        if restore:
            modl.iterations = before
        return found

    return wrong


def mean_psnr(modl, samples):
    return course_lib.evaluate(modl, samples).mean("psnr")


def mean_misfit(modl, samples):
    left = [(s.A(modl(s.kspace, s.A)) - s.kspace).norm() / s.kspace.norm() for s in samples]
    return (sum(left) / len(left)).item()


def shrink(v, t):
    return v - v / v.abs().clamp_min(1e-12) * v.abs().clamp_max(t)


def step(x, y, A, rho):
    return x + rho * A.H(y) - rho * A.N(x)


def phase_by_hand(x, y, A, D, B, rho, theta):
    return B(shrink(D(step(x, y, A, rho)), theta))


RIGHT = {
    "ch15_phase": phase_by_hand,
    "ch15_ladder": ladder_of_pairs,
    "ch15_keep": keep_by_difference,
    "ch15_gradients": gradients_by_parts,
    "ch15_dc_cnn": Cascades,
    "ch15_modl": Shared,
}

WRONG = {
    "ch15_phase": {
        "the gradient step is forgotten": lambda x, y, A, D, B, rho, t: B(shrink(D(x), t)),
        "uphill": lambda x, y, A, D, B, rho, t: B(shrink(D(step(x, y, A, -rho)), t)),
        "the image is shrunk, not its transform": lambda x, y, A, D, B, rho, t: B(D(shrink(step(x, y, A, rho), t))),
        "nothing is shrunk": lambda x, y, A, D, B, rho, t: B(D(step(x, y, A, rho))),
        "the way back is missing": lambda x, y, A, D, B, rho, t: shrink(D(step(x, y, A, rho)), t),
        "theta times rho": lambda x, y, A, D, B, rho, t: B(shrink(D(step(x, y, A, rho)), rho * t)),
        "r added": lambda x, y, A, D, B, rho, t: step(x, y, A, rho) + phase_by_hand(x, y, A, D, B, rho, t),
        "the gradient reaches nothing": lambda x, *others: phase_by_hand(x.detach(), *others),
    },
    "ch15_ladder": {
        "iterations not put back": ladder_with(mean_psnr, restore=False),
        "misfit, not PSNR": ladder_with(mean_misfit),
        "the same number each time": ladder_with(mean_psnr, set_it=False),
        "another metric": ladder_with(lambda modl, samples: course_lib.evaluate(modl, samples).mean("nrmse")),
        "one slice only": ladder_with(lambda modl, samples: mean_psnr(modl, samples[:1])),
    },
    "ch15_keep": {
        "lambda on the wrong side": lambda z, y, m, lam: keep(z, y, m, lambda k, y: (lam * k + y) / (1 + lam)),
        "mask ignored": lambda z, y, m, lam: keep(
            z, y, m, lambda k, y: (k + lam * y) / (1 + lam), lambda k: k / (1 + lam)
        ),
        "acquired samples overwritten": lambda z, y, m, lam: keep(z, y, m, lambda k, y: y),
        "data added, nothing taken away": lambda z, y, m, lam: keep(z, y, m, lambda k, y: k + lam * y),
        "the network's samples are lost": lambda z, y, m, lam: keep(
            z, y, m, lambda k, y: (k + lam * y) / (1 + lam), torch.zeros_like
        ),
        "image and k-space mixed": lambda z, y, m, lam: m * (z + lam * y) / (1 + lam) + (1 - m) * z,
        "real part only": lambda z, y, m, lam: keep_by_difference(z, y, m, lam).real,
        "magnitude only": lambda z, y, m, lam: keep_by_difference(z, y, m, lam).abs(),
        "the gradient reaches nothing": lambda z, y, m, lam: keep_by_difference(z.detach(), y, m, lam),
    },
    "ch15_gradients": {
        "not solved": lambda solve, x, g: (g, -torch.vdot(g.flatten(), x.flatten()).real),
        "sign of the shift's gradient": lambda solve, x, g: (
            solve(g),
            torch.vdot(solve(g).flatten(), x.flatten()).real,
        ),
        "g instead of its solution": lambda solve, x, g: (solve(g), -torch.vdot(g.flatten(), x.flatten()).real),
        "conjugate missing": lambda solve, x, g: (solve(g), -torch.dot(solve(g).flatten(), x.flatten()).real),
        "real part forgotten": lambda solve, x, g: (solve(g), -torch.vdot(solve(g).flatten(), x.flatten())),
        "the solution is solved again": lambda solve, x, g: (
            solve(g),
            -torch.vdot(solve(g).flatten(), solve(x).flatten()).real,
        ),
        "wrong number of results": lambda solve, x, g: solve(g),
    },
    "ch15_dc_cnn": {
        "data consistency before the network": dc_cnn(network_last),
        "x is missing": dc_cnn(without_skip),
        "lambda on the wrong side": dc_cnn(as_in_modl),
        "the data are forgotten": dc_cnn(without_data),
        "one network in all cascades": dc_cnn(one_network),
        "the gradient stops between cascades": dc_cnn(cut_between),
        "no gradient at all": dc_cnn(frozen),
        "it returns nothing": dc_cnn(lambda self, y, A: None),
    },
    "ch15_modl": {
        "the artefact is taken for the image": modl_step(lambda self, x, AHy: AHy + self.lam * self.artefact(x)),
        "lambda on the wrong side": modl_step(lambda self, x, AHy: AHy + (x - self.artefact(x)) / self.lam),
        "lambda only on the left": modl_step(lambda self, x, AHy: AHy + x - self.artefact(x)),
        "the data are forgotten": modl_step(lambda self, x, AHy: self.lam * (x - self.artefact(x))),
        "every iteration starts anew": modl_step(lambda self, x, AHy: AHy + self.lam * (AHy - self.artefact(AHy))),
        "the gradient stops between iterations": modl_step(
            lambda self, x, AHy: AHy + self.lam * (x.detach() - self.artefact(x.detach()))
        ),
    },
}
