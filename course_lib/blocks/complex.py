"""The only place where a complex image becomes two real channels."""

import torch
from torch import Tensor, nn

from ..errors import CourseError
from ..shapes import Image, KSpace


def as_real(x: Image) -> Tensor:
    """Complex (batch, *extra, height, width) -> real (batch, 2, *extra, height, width).

    It is a view: in memory the channels stay last, which convolutions like best.
    """
    return torch.view_as_real(x.resolve_conj()).movedim(-1, 1)


def as_complex(x: Tensor) -> Image:
    """Real (batch, 2, *extra, height, width) -> complex (batch, *extra, height, width), in float32 at least."""
    wide = x if x.dtype == torch.float64 else x.float()
    return torch.view_as_complex(wide.movedim(1, -1).contiguous())


def real_matrix(m: Tensor) -> Tensor:
    """The complex matrix (rows, columns) as a real one, (2 rows, 2 columns), on real parts before imaginary ones."""
    return torch.cat([torch.cat([m.real, -m.imag], 1), torch.cat([m.imag, m.real], 1)])


class OnComplex(nn.Module):
    """A real network that maps 2 channels to 2 channels, used on complex images."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Image) -> Image:
        return as_complex(self.net(as_real(x)))


class OnComplexChannels(nn.Module):
    """A real network that maps 2 n channels to 2 m, used on n complex images: all real parts first, then all others."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return as_complex(self.net(as_real(x).flatten(1, 2)).unflatten(1, (2, -1)))


class OnCoils(OnComplexChannels):
    """A real network of 2 x `coils` channels, used on (batch, coil, height, width): real parts, then imaginary parts.

    Data of fewer coils leave the other channels 0; more raise `CourseError`.
    """

    def __init__(self, net: nn.Module, coils: int):
        super().__init__(net)
        self.coils = coils

    def forward(self, k: KSpace) -> KSpace:
        found = k.shape[1]
        if found > self.coils:
            remedy = f"build the method with coils={found}, or compress the coils"
            raise CourseError("too many coils for this network", f"at most {self.coils}", f"{found}", remedy)
        k = torch.cat([k, k.new_zeros(len(k), self.coils - found, *k.shape[2:])], dim=1)
        return super().forward(k)[:, :found]


class CoilByCoil(nn.Module):
    """One network for all coils: (batch, coil, channels, height, width) -> the same, whatever the number of coils."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, k: Tensor) -> Tensor:
        return self.net(k.flatten(0, 1)).unflatten(0, k.shape[:2])
