"""Non-Cartesian sampling: the Fourier transform at any points of k-space.

    y_j = 1 / sqrt(H W) sum_r x(r) exp(-2 pi i k_j . r)        r counted from the pixel (H // 2, W // 2)

RadialSense puts coil maps in front of it: non-Cartesian SENSE (Pruessmann et al., Magn. Reson. Med. 2001).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..errors import CourseError, ShapeError
from .interpolate import Kernel
from .linear import Compose, LinearOperator
from .nufft import Plan
from .sense import Coils


@dataclass(frozen=True, eq=False, repr=False)
class Radial(LinearOperator):
    """Coil images (batch, coil, *extra, height, width) -> samples (batch, coil, *extra, spokes, samples).

    trajectory (spokes, samples, 2), or (frames, spokes, samples, 2) with spokes of its own for each index of the last
    extra axis: cycles per pixel along (H, W), at most 1/2. See `sampling.golden_angle`; any other trajectory fits too.
    weights (like the trajectory, without its last axis): A = diag(sqrt(weights)) F, so A.N = F^H diag(weights) F and
    A.H(sqrt(weights) * y) is the gridding reconstruction; see `ops.density`.
    Relative error on white noise, the worst image: 3e-4 (oversampling 1.5, width 5), 7e-6 (2, 6), 1e-7 (2, 8); A.N is
    at least as exact as (2, 6), the adjoint exact. Runs on the trajectory's device, in complex64 and complex128;
    gradients flow through x. The matrix, 16 width^2 bytes a sample, is made on first use.
    """

    trajectory: Tensor
    shape: tuple[int, int]
    weights: Tensor | None = None
    oversampling: float | int = 1.5
    width: int = 5

    def __post_init__(self):
        if self.trajectory.ndim not in (3, 4) or self.trajectory.shape[-1] != 2:
            found = f"{tuple(self.trajectory.shape)}"
            raise ShapeError("trajectory", "(spokes, samples, 2) or (frames, spokes, samples, 2)", found)
        if not self.trajectory.abs().max() <= 0.5:
            found = f"up to {self.trajectory.abs().max().item():.3g}"
            raise CourseError("trajectory", "cycles per pixel in [-1/2, 1/2]", found, "divide radians by 2 pi")
        if self.weights is not None and self.weights.shape != self.trajectory.shape[:-1]:
            raise ShapeError("weights", f"{tuple(self.trajectory.shape[:-1])}", f"{tuple(self.weights.shape)}")

    def forward(self, x: Tensor) -> Tensor:
        return Linear.apply(x, self._forward, self._adjoint)

    def adjoint(self, y: Tensor) -> Tensor:
        return Linear.apply(y, self._adjoint, self._forward)

    def normal(self, x: Tensor) -> Tensor:
        return Linear.apply(x, self._normal, self._normal)

    def to(self, device: torch.device | str) -> "Radial":
        """The same operator on another device; itself where it already is there, with what it has prepared."""
        if self.trajectory.device == torch.device(device):
            return self
        weights = None if self.weights is None else self.weights.to(device)
        return Radial(self.trajectory.to(device), self.shape, weights, self.oversampling, self.width)

    def _forward(self, x: Tensor) -> Tensor:
        data = self._plan(x.dtype).read(self._flat(x, self.shape))
        return self._weigh(data.reshape(*x.shape[:-2], *self.trajectory.shape[-3:-1]))

    def _adjoint(self, y: Tensor) -> Tensor:
        data = self._flat(self._weigh(y), tuple(self.trajectory.shape[-3:-1]))
        return self._plan(y.dtype).spread(data.flatten(2)).reshape(*y.shape[:-2], *self.shape)

    def _normal(self, x: Tensor) -> Tensor:
        return self._plan(x.dtype).convolve(self._flat(x, self.shape)).reshape(x.shape)

    def _weigh(self, y: Tensor) -> Tensor:
        return y if self.weights is None else y * self.weights.sqrt().to(y.real.dtype)

    def _flat(self, x: Tensor, last: tuple[int, ...]) -> Tensor:
        """All axes before the frames as one: (n, frames, *last); without a frame axis one frame."""
        frames = tuple(self.trajectory.shape[:-3])
        if tuple(x.shape[-2 - len(frames) :]) != (*frames, *last):
            expected = f"(batch, coil, *extra, {', '.join(map(str, (*frames, *last)))})"
            raise ShapeError("Radial", expected, f"{tuple(x.shape)}")
        return x.resolve_conj().reshape(-1, *(frames or (1,)), *last)

    def _plan(self, dtype: torch.dtype) -> Plan:
        return self._double if dtype == torch.complex128 else self._single

    @cached_property
    def _single(self) -> Plan:
        return self._prepare(torch.float32)

    @cached_property
    def _double(self) -> Plan:
        return self._prepare(torch.float64)

    def _prepare(self, dtype: torch.dtype) -> Plan:
        trajectory = self.trajectory.detach().reshape(-1, *self.trajectory.shape[-3:]).flatten(1, 2)
        weights = torch.ones_like(trajectory[..., 0]) if self.weights is None else self.weights.detach()
        weights = weights.reshape(trajectory.shape[:-1]).to(dtype)
        return Plan(trajectory, weights, self.shape, Kernel(self.oversampling, self.width), dtype)


@dataclass(frozen=True, eq=False, repr=False, init=False)
class RadialSense(Compose):
    """RadialSense(radial, maps) = radial @ Coils(maps): image -> samples of all coils.

    maps (batch or 1, coil, *extra or 1, height, width). Many scans may share one `radial`, and what it has prepared.
    """

    radial: Radial
    maps: Tensor

    def __init__(self, radial: Radial, maps: Tensor):
        if tuple(maps.shape[-2:]) != radial.shape:
            raise ShapeError("RadialSense: maps", f"(batch, coil, *extra, {radial.shape})", f"{tuple(maps.shape)}")
        super().__init__(radial, Coils(maps))
        object.__setattr__(self, "radial", radial)
        object.__setattr__(self, "maps", maps)

    def to(self, device: torch.device | str) -> "RadialSense":
        """The same operator on another device."""
        return RadialSense(self.radial.to(device), self.maps.to(device))


class Linear(torch.autograd.Function):
    """Differentiate a linear map by its adjoint: the gradient of x -> apply(x) is adjoint(gradient)."""

    @staticmethod
    def forward(ctx, x: Tensor, apply: Callable[[Tensor], Tensor], adjoint: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.pair = adjoint, apply
        return apply(x)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None]:
        return Linear.apply(grad, *ctx.pair), None, None
