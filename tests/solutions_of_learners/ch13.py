"""Chapter 13, as learners write it: solutions that are right in another way, and planted mistakes."""

import torch
from torch import nn

from course_lib.blocks import OnComplex, Transform, refinement
from course_lib.methods import Reconstructor


def count_by_layers(n):
    fully = nn.Sequential(nn.Linear(2 * n * n, n * n), nn.Linear(n * n, n * n)) if n < 8 else None
    if fully is None:
        return n * n * (2 * n * n + 1) + n * n * (n * n + 1), 2 * (4 * n * n + 4 * n * n)
    return sum(p.numel() for p in fully.parameters()), sum(p.numel() for p in Transform(n, n).parameters()) * 2


def real_by_columns(m):
    """Column by column: what the matrix makes of 1 and of i, as real parts before imaginary ones."""
    columns = [torch.view_as_real(unit * m[:, j]).mT.flatten() for unit in (1, 1j) for j in range(m.shape[1])]
    return torch.stack(columns, 1)


class Direct(Reconstructor):
    def __init__(self, size=(128, 128), width=64, act=nn.Tanh):
        super().__init__()
        self.act = OnComplex(act())
        self.transforms = nn.ModuleList([Transform(*size), Transform(*size)])
        self.refine = OnComplex(refinement(2, width))

    def forward(self, y, A):
        return self.refine(self.twice(self.k(y, A)))

    def k(self, y, A):
        """F A^H y with explicit matrices."""
        down, across = (waves(n) for n in y.shape[-2:])
        return down @ A.H(y) @ across

    def twice(self, x):
        return self.act(self.transforms[1](self.act(self.transforms[0](x))))


def waves(n):
    k = torch.arange(n) - n // 2
    return torch.exp(-2j * torch.pi * k[:, None] * k / n) / n**0.5


def direct(forward):
    return type("Mine", (Direct,), {"forward": forward})


@torch.no_grad()
def frozen(self, y, A):
    return Direct.forward(self, y, A)


def angle(W, F):
    """The sine of the angle between the two, by Pythagoras."""
    part = torch.vdot(F.flatten(), W.flatten()).abs() / (F.norm() * W.norm())
    return (1 - part.double().square()).clamp_min(0).sqrt()


def off(W, F, s):
    return (W - s * F).norm() / W.norm()


RIGHT = {
    "ch13_count": count_by_layers,
    "ch13_real": real_by_columns,
    "ch13_dautomap": Direct,
    "ch13_distance": angle,
}

WRONG = {
    "ch13_count": {
        "complex numbers counted once": lambda n: (n**2 * n**2 + n**2 + n**4 + n**2, 16 * n * n),
        "biases are missing": lambda n: (3 * n**4, 16 * n**2),
        "one transform only": lambda n: (3 * n**4 + 2 * n**2, 8 * n**2),
        "complex matrices counted as real": lambda n: (3 * n**4 + 2 * n**2, 4 * n**2),
        "wrong number of results": lambda n: 3 * n**4,
    },
    "ch13_real": {
        "the sign of the imaginary part": lambda m: torch.vstack(
            [torch.hstack([m.real, m.imag]), torch.hstack([m.imag, m.real])]
        ),
        "the conjugate matrix": lambda m: real_by_columns(m.conj()),
        "the parts do not mix": lambda m: torch.block_diag(m.real, m.imag),
        "wrong shape": lambda m: torch.hstack([m.real, -m.imag]),
    },
    "ch13_dautomap": {
        "it starts at the image": direct(lambda self, y, A: self.refine(self.twice(A.H(y)))),
        "no tanh after the second transform": direct(
            lambda self, y, A: self.refine(self.transforms[1](self.act(self.transforms[0](self.k(y, A)))))
        ),
        "no tanh at all": direct(lambda self, y, A: self.refine(self.transforms[1](self.transforms[0](self.k(y, A))))),
        "the refinement is missing": direct(lambda self, y, A: self.twice(self.k(y, A))),
        "one transform used twice": direct(
            lambda self, y, A: self.refine(self.act(self.transforms[0](self.act(self.transforms[0](self.k(y, A))))))
        ),
        "the image is added": direct(lambda self, y, A: A.H(y) + Direct.forward(self, y, A)),
        "wrong values": direct(frozen),
        "it returns nothing": direct(lambda self, y, A: None),
    },
    "ch13_distance": {
        "no scale": lambda W, F: off(W, F, 1),
        "conjugate missing": lambda W, F: off(W, F, (F * W).sum() / F.norm() ** 2),
        "a real scale": lambda W, F: off(W, F, torch.vdot(F.flatten(), W.flatten()).real / F.norm() ** 2),
        "not relative": lambda W, F: angle(W, F) * W.norm(),
        "squared": lambda W, F: angle(W, F) ** 2,
    },
}
