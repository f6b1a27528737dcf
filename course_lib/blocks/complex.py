"""The only place where a complex image becomes two real channels."""

import torch
from torch import Tensor, nn

from ..errors import CourseError
from ..shapes import Image, KSpace


def as_real(x: Image) -> Tensor:
    """Complex (batch, *extra, height, width) -> real (batch, 2, *extra, height, width)."""
    return torch.stack([x.real, x.imag], dim=1)


def as_complex(x: Tensor) -> Image:
    """Real (batch, 2, *extra, height, width) -> complex (batch, *extra, height, width), in float32 at least."""
    return torch.complex(*(x if x.dtype == torch.float64 else x.float()).unbind(dim=1))


class OnComplex(nn.Module):
    """A real network that maps 2 channels to 2 channels, used on complex images."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Image) -> Image:
        return as_complex(self.net(as_real(x)))


class OnCoils(nn.Module):
    """A real network of 2 x `coils` channels, used on (batch, coil, height, width): real parts, then imaginary parts.

    Data of fewer coils leave the other channels 0; more raise `CourseError`.
    """

    def __init__(self, net: nn.Module, coils: int):
        super().__init__()
        self.net, self.coils = net, coils

    def forward(self, k: KSpace) -> KSpace:
        found = k.shape[1]
        if found > self.coils:
            remedy = f"build the method with coils={found}, or compress the coils"
            raise CourseError("too many coils for this network", f"at most {self.coils}", f"{found}", remedy)
        k = torch.cat([k, k.new_zeros(len(k), self.coils - found, *k.shape[2:])], dim=1)
        return as_complex(self.net(as_real(k).flatten(1, 2)).unflatten(1, (2, self.coils)))[:, :found]
