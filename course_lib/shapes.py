"""The names of the axes, said once. `extra` is nothing, time or slice; the coil axis is always 1."""

from typing import TypeAlias

from jaxtyping import Complex, Float
from torch import Tensor

from .errors import ShapeError

Image: TypeAlias = Complex[Tensor, "batch *extra height width"]
KSpace: TypeAlias = Complex[Tensor, "batch coil *extra ky kx"]  # as the image, or spokes and their samples
Maps: TypeAlias = Complex[Tensor, "batch coil *extra height width"]
Mask: TypeAlias = Float[Tensor, "batch 1 *extra height width"]  # 1 = acquired


def axis_names(ndim: int) -> list[str]:
    """Names of the axes of k-space, maps or mask with `ndim` axes."""
    extra = ["extra"] * (ndim - 4) if ndim < 6 else ["slice", "time"][: ndim - 4]
    return ["batch", "coil", *extra, "height", "width"]


def agree(who: str, **arrays: Tensor) -> None:
    """Raise `ShapeError` unless the k-space-like arrays fit axis by axis (an axis of length 1 fits all).

    `agree("MoDL", y=y, maps=maps)` names the method, the axis and the two arrays that differ.
    """
    (first, a), *others = arrays.items()
    for name, b in others:
        if a.ndim != b.ndim:
            raise ShapeError(f"{who}: {first} has {a.ndim} axes but {name} has {b.ndim}. {_shapes(arrays)}")
        for axis, m, n in zip(axis_names(a.ndim), a.shape, b.shape):
            if m != n and 1 not in (m, n):
                raise ShapeError(f"{who}: {axis} is {m} in {first} but {n} in {name}. {_shapes(arrays)}")


def sized(who: str, x: Tensor, size: tuple[int, int]) -> Tensor:
    """`x` itself, or `ShapeError`: a network with a weight for each pixel takes images of one size only."""
    found = tuple(x.shape[-2:])
    if found != tuple(size):
        raise ShapeError(
            f"{who}: image", f"{size}, the size it was built for", f"{found}", f"build it with size={found}"
        )
    return x


def _shapes(arrays: dict[str, Tensor]) -> str:
    return "; ".join(f"{k} ({' '.join(axis_names(v.ndim))}) = {tuple(v.shape)}" for k, v in arrays.items())
