"""Chapter 10, as learners write it: solutions that are right in another way, and planted mistakes."""

import torch
from torch import nn
from torch.nn.functional import pad

from course_lib.blocks import UNet
from course_lib.ops import Sense, ifft2c


def interpolate_by_padding(k, size, before=lambda n, m: m // 2 - n // 2, factor=lambda k, f: f.numel() / k.numel()):
    (h, w), (top, left) = k.shape[-2:], (before(n, m) for n, m in zip(k.shape[-2:], size))
    filled = pad(k, (left, size[1] - w - left, top, size[0] - h - top))
    return ifft2c(filled) * factor(k, filled) ** 0.5


def hann_by_lines(mask, half=None, add=0.0):
    lines, width = mask.flatten().tolist(), mask.shape[-1]
    half = half or sum(lines) / 2
    found = [
        m * torch.cos(torch.tensor(torch.pi / 2 * (i + add - width // 2) / half)) ** 2 for i, m in enumerate(lines)
    ]
    return torch.stack(found).reshape(mask.shape)


class Network(nn.Module):
    def __init__(self, width=32, depth=3, dims=2):
        super().__init__()
        self.f = UNet(width, depth, 1, 1, dims).silent()

    def forward(self, y, A):
        low = torch.sqrt(A.H(y).abs() ** 2)
        return torch.complex(low + self.f(low[:, None])[:, 0], torch.zeros_like(low))


def network(forward):
    return type("Mine", (Network,), {"forward": forward})


def split_by_operators(x, truth, A):
    inside, outside = Sense(A.mask, A.maps), Sense(1 - A.mask, A.maps)
    norm = lambda k: torch.linalg.vector_norm(k.flatten(1), dim=1)
    return tuple(norm(E(x) - E(truth)) / norm(E(truth)) for E in (inside, outside))


RIGHT = {
    "ch10_interpolate": interpolate_by_padding,
    "ch10_hann": hann_by_lines,
    "ch10_sr_unet": Network,
    "ch10_split": split_by_operators,
}

WRONG = {
    "ch10_interpolate": {
        "the brightness changes": lambda k, size: interpolate_by_padding(k, size, factor=lambda k, f: 1),
        "the factor is not a root": lambda k, size: interpolate_by_padding(
            k, size, factor=lambda k, f: (f.numel() / k.numel()) ** 2
        ),
        "zeros at the end": lambda k, size: interpolate_by_padding(k, size, lambda n, m: 0),
        "the middle is off by one": lambda k, size: interpolate_by_padding(k, size, lambda n, m: (m - n) // 2),
        "the gradient reaches nothing": lambda k, size: interpolate_by_padding(k.detach(), size),
    },
    "ch10_hann": {
        "as wide as the image": lambda mask: hann_by_lines(mask, mask.shape[-1] / 2),
        "not zero at the edge": lambda mask: hann_by_lines(mask, mask.sum().item()),
        "off the centre": lambda mask: hann_by_lines(mask, add=0.0 if mask.shape[-1] % 2 else 0.5),
    },
    "ch10_sr_unet": {
        "the image is learned": network(lambda self, y, A: self.f(A.H(y).abs()[:, None])[:, 0] + 0j),
        "taken away": network(lambda self, y, A: A.H(y).abs() - self.f(A.H(y).abs()[:, None])[:, 0] + 0j),
        "the real part": network(lambda self, y, A: A.H(y).real + self.f(A.H(y).real[:, None])[:, 0] + 0j),
        "the phase comes back": network(lambda self, y, A: A.H(y) + self.f(A.H(y).abs()[:, None])[:, 0]),
        "it stops": network(lambda self, y, A: A.H(y) + self.f(A.H(y).abs())),
    },
    "ch10_split": {
        "squares": lambda x, truth, A: tuple(v * v for v in split_by_operators(x, truth, A)),
        "the two are exchanged": lambda x, truth, A: tuple(reversed(split_by_operators(x, truth, A))),
        "magnitudes": lambda x, truth, A: split_by_operators(x.abs() + 0j, truth.abs() + 0j, A),
        "one number for all": lambda x, truth, A: tuple(
            (Sense(m, A.maps)(x - truth).norm() / Sense(m, A.maps)(truth).norm()).expand(len(x))
            for m in (A.mask, 1 - A.mask)
        ),
    },
}
