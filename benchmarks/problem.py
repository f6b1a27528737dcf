"""The scan that the rows share: a real head with air around it, a smooth phase, coils on a circle, masks."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from course_lib.data.phantom import grid
from course_lib.sampling import poisson, random, uniform

from .harness import Scale

ANATOMY = Path(__file__).parent.parent / "data" / "anatomy.npz"


@dataclass(frozen=True)
class Problem:
    """image (1, n, n), maps (1, coil, n, n), masks (1, 1, 1 or n, n), on the device of the scale."""

    scale: Scale

    @cached_property
    def image(self) -> Tensor:
        with np.load(ANATOMY) as arrays:
            head = torch.from_numpy(arrays["s1"][20].astype(np.float32))[None, None]
        n, size = self.scale.n, self.scale.n * 3 // 4
        head = torch.nn.functional.interpolate(head, (size, size), mode="bicubic", antialias=True)[0].clamp_min(0)
        head = torch.nn.functional.pad(head, ((n - size) // 2, n - size - (n - size) // 2) * 2)
        v, u = grid(n, n)
        phase = 0.5 + u - 0.7 * v + 0.8 * u * v
        return torch.polar(head / head.max(), phase.expand_as(head)).to(self.scale.device)

    @cached_property
    def maps(self) -> Tensor:
        """Coils on a circle of 1.5 half fields of view: field 1 / distance, phase by direction; sum |maps|^2 = 1."""
        v, u = grid(self.scale.n, self.scale.n)
        angle = 2 * torch.pi * torch.arange(self.scale.coils)[:, None, None] / self.scale.coils
        distance = torch.complex(u - 1.5 * torch.cos(angle), v - 1.5 * torch.sin(angle))
        maps = 1 / distance
        return (maps / torch.linalg.vector_norm(maps, dim=0))[None].to(self.scale.device)

    @cached_property
    def lines(self) -> Tensor:
        return random(self.scale.n, 4, 0.08, seed=0).to(self.scale.device)

    @cached_property
    def points(self) -> Tensor:
        n = self.scale.n
        return poisson((n, n), 7.8, calibration=n * 24 // 320).to(self.scale.device)

    @cached_property
    def every_fourth(self) -> Tensor:
        return uniform(self.scale.n, 4).to(self.scale.device)

    def batch(self, size: int) -> Tensor:
        """`size` different images (size, n, n): the head, turned and mixed."""
        return torch.stack([(self.image[0] * (1 + 0.1 * i)).roll(i, -1) for i in range(size)])

    def kspace(self, mask: Tensor, noise: float = 0.004) -> Tensor:
        """Undersampled noisy k-space (1, coil, n, n)."""
        full = forward(self.image, torch.ones_like(mask), self.maps).to(torch.complex64)
        random = torch.randn(full.shape, dtype=full.dtype, generator=torch.Generator().manual_seed(1))
        return mask * (full + noise * random.to(full.device))


def forward(x: Tensor, mask: Tensor, maps: Tensor) -> Tensor:
    """M F S x in complex128, written out: what every operator is compared with."""
    images = torch.fft.ifftshift(maps.to(torch.complex128) * x[:, None], dim=(-2, -1))
    return mask * torch.fft.fftshift(torch.fft.fft2(images, norm="ortho"), dim=(-2, -1))


def adjoint(y: Tensor, mask: Tensor, maps: Tensor) -> Tensor:
    """(M F S)^H y in complex128."""
    kspace = torch.fft.ifftshift(mask * y.to(torch.complex128), dim=(-2, -1))
    images = torch.fft.fftshift(torch.fft.ifft2(kspace, norm="ortho"), dim=(-2, -1))
    return (maps.to(torch.complex128).conj() * images).sum(1)


def normal(x: Tensor, mask: Tensor, maps: Tensor) -> Tensor:
    """(M F S)^H M F S x in complex128, sample by sample."""
    return torch.cat([adjoint(forward(one[None], mask, maps), mask, maps) for one in x])
