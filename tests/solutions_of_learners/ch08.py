"""Chapter 08, as learners write it: solutions that are right in another way, and planted mistakes."""

import math

import torch
from torch import nn

from course_lib.blocks import UNet


def velocity_by_wrapping(x0, x1, venc):
    """The difference of the angles, brought back into (-pi, pi]."""
    turn = x1.angle() - x0.angle()
    turn = torch.where(turn > math.pi, turn - 2 * math.pi, turn)
    turn = torch.where(turn <= -math.pi, turn + 2 * math.pi, turn)
    return turn / math.pi * venc


def agreement_by_sums(measured, truth):
    n, differences = len(measured), [a - b for a, b in zip(measured.tolist(), truth.tolist())]
    bias = sum(differences) / n
    spread = 1.96 * math.sqrt(sum((d - bias) ** 2 for d in differences) / (n - 1))
    return torch.tensor(bias), torch.tensor(bias - spread), torch.tensor(bias + spread)


def agree(measured, truth, difference=lambda m, t: m - t, width=lambda d: 1.96 * d.std(), middle=lambda d: d.mean()):
    d = difference(measured, truth)
    return d.mean(), middle(d) - width(d), middle(d) + width(d)


def convolve_by_torch(x, real, imag):
    return nn.functional.conv2d(x, torch.complex(real, imag), padding=1)


def convolve_loosely(x, kernel):
    return nn.functional.conv2d(x, kernel, padding=1)


def mod_relu_by_angle(z, b):
    return torch.polar(torch.clamp(z.abs() + b.reshape(-1, 1, 1), min=0), z.angle())


class Film(nn.Module):
    """Written with transposed axes and a loop over the batch."""

    def __init__(self, width=32, depth=3):
        super().__init__()
        self.f = UNet(width=width, depth=depth, inside=1, outside=1, dims=3)

    def forward(self, y, A):
        films = []
        for film in A.H(y).abs():
            films.append(film + self.f(film[None, None])[0, 0])
        return torch.stack(films).to(torch.complex64)


def film(step):
    return type("Mine", (Film,), {"forward": step})


def corrected(self, m):
    return self.f(m[:, None])[:, 0]


def by_frames(self, y, A):
    m = A.H(y).abs()
    return torch.stack([m[:, t] + corrected(self, m[:, t : t + 1])[:, 0] for t in range(m.shape[1])], 1) + 0j


@torch.no_grad()
def frozen(self, y, A):
    return Film.forward(self, y, A)


RIGHT = {
    "ch08_velocity": velocity_by_wrapping,
    "ch08_agreement": agreement_by_sums,
    "ch08_convolve": convolve_by_torch,
    "ch08_mod_relu": mod_relu_by_angle,
    "ch08_unet_3d": Film,
}

WRONG = {
    "ch08_velocity": {
        "it wraps": lambda x0, x1, venc: (x1.angle() - x0.angle()) * venc / math.pi,
        "wrong direction": lambda x0, x1, venc: -velocity_by_wrapping(x0, x1, venc),
        "conjugate missing": lambda x0, x1, venc: torch.angle(x1 * x0) / math.pi * venc,
        "radians": lambda x0, x1, venc: torch.atan2((x1 * x0.conj()).imag, (x1 * x0.conj()).real),
        "pi missing": lambda x0, x1, venc: velocity_by_wrapping(x0, x1, venc) * math.pi,
        "difference of the images": lambda x0, x1, venc: torch.angle(x1 - x0) * venc / math.pi,
        "the reference is forgotten": lambda x0, x1, venc: torch.angle(x1) * venc / math.pi,
        "it returns nothing": lambda x0, x1, venc: None,
    },
    "ch08_agreement": {
        "the other way round": lambda m, t: agree(t, m),
        "one standard deviation": lambda m, t: agree(m, t, width=lambda d: d.std()),
        "standard error": lambda m, t: agree(m, t, width=lambda d: 1.96 * d.std() / math.sqrt(len(d))),
        "divided by n": lambda m, t: agree(m, t, width=lambda d: 1.96 * (d - d.mean()).square().mean().sqrt()),
        "variance": lambda m, t: agree(m, t, width=lambda d: 1.96 * d.var()),
        "limits around 0": lambda m, t: agree(m, t, middle=lambda d: 0.0),
        "wrong number of results": lambda m, t: (m - t).mean(),
    },
    "ch08_convolve": {
        "sign of the product of imaginary parts": lambda x, r, i: torch.complex(
            convolve_loosely(x.real, r) + convolve_loosely(x.imag, i),
            convolve_loosely(x.real, i) + convolve_loosely(x.imag, r),
        ),
        "conjugate of the kernel": lambda x, r, i: convolve_loosely(x, torch.complex(r, -i)),
        "conjugate of the image": lambda x, r, i: convolve_loosely(x.conj().resolve_conj(), torch.complex(r, i)),
        "real and imaginary part do not mix": lambda x, r, i: (
            convolve_loosely(x.real, r) + 1j * convolve_loosely(x.imag, i)
        ),
        "real kernel only": lambda x, r, i: convolve_loosely(x.real, r) + 1j * convolve_loosely(x.imag, r),
        "real part only": lambda x, r, i: convolve_by_torch(x, r, i).real,
        "the gradient reaches nothing": lambda x, r, i: convolve_by_torch(x.detach(), r, i),
    },
    "ch08_mod_relu": {
        "magnitude only": lambda z, b: mod_relu_by_angle(z, b).abs(),
        "real and imaginary part were cut one by one": lambda z, b: z.real.clamp(min=0) + 1j * z.imag.clamp(min=0),
        "no threshold": lambda z, b: z + b[:, None, None] * torch.exp(1j * z.angle()),
        "b added to the number, not to its size": lambda z, b: z + b.reshape(-1, 1, 1),
        "the size is forgotten": lambda z, b: z * (z.abs() + b.reshape(-1, 1, 1)).clamp(min=0),
        "b subtracted": lambda z, b: mod_relu_by_angle(z, -b),
    },
    "ch08_unet_3d": {
        "no residual": film(lambda self, y, A: corrected(self, A.H(y).abs()) + 0j),
        "residual subtracted": film(lambda self, y, A: A.H(y).abs() - corrected(self, A.H(y).abs()) + 0j),
        "real part for magnitude": film(lambda self, y, A: A.H(y).real + corrected(self, A.H(y).real) + 0j),
        "the phase is put back": film(
            lambda self, y, A: torch.exp(1j * A.H(y).angle()) * (A.H(y).abs() + corrected(self, A.H(y).abs()))
        ),
        "added to the complex image": film(lambda self, y, A: A.H(y) + corrected(self, A.H(y).abs())),
        "frame by frame": film(by_frames),
        "no gradient at all": film(frozen),
        "it stops": film(lambda self, y, A: A.H(y).abs() + self.f(A.H(y).abs())),
    },
}
