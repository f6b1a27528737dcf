"""The SENSE operator M F S of every library, as each writes it best; imported inside, as it may be missing."""

import sys
from collections.abc import Callable
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from .harness import Missing


def array(x: Tensor):
    """What sigpy takes: a NumPy array, or CuPy's of the same GPU."""
    if not x.is_cuda:
        return x.numpy()
    import cupy

    return cupy.asarray(x)


def numpy_only(x: Tensor) -> np.ndarray:
    """What a library without code for a GPU takes: its time would be compared with that of another machine."""
    if x.is_cuda:
        raise Missing("it has no code for a GPU")
    return x.numpy()


def sigpy_weights(mask: Tensor, maps: Tensor):
    """The mask as sigpy takes it, (1, n, n)."""
    return array(mask[0].float().expand(1, *maps.shape[-2:]).contiguous())


def sigpy_sense(mask: Tensor, maps: Tensor):
    """sigpy's operator for one sample: arrays (n, n) -> (coil, n, n)."""
    import sigpy.mri

    return sigpy.mri.linop.Sense(array(maps[0]), weights=sigpy_weights(mask, maps))


def bartorch_sense(mask: Tensor, maps: Tensor, batch: tuple[int, ...] = ()):
    """bartorch's operator with its closed normal form, (*batch, n, n) -> (*batch, coil, n, n)."""
    from bartorch.linop import CartesianSense

    return CartesianSense(maps[0].contiguous(), (*batch, *maps.shape[-2:]), pattern=mask[0, 0].contiguous())


def mrpro_sense(mask: Tensor, maps: Tensor):
    """mrpro's operator, (batch, 1, 1, n, n) -> (batch, coil, 1, n, n)."""
    without_torchvision()
    from mrpro.operators import CartesianMaskingOp, FastFourierOp, SensitivityOp

    return CartesianMaskingOp(mask[:, :, None]) @ FastFourierOp(dim=(-2, -1)) @ SensitivityOp(maps[:, :, None])


def without_torchvision() -> None:
    """An empty torchvision where there is none: mrpro imports it for a data set that is not used here."""
    try:
        import torchvision.transforms.functional  # noqa: F401
    except (ImportError, RuntimeError):  # RuntimeError: built for another torch
        for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
            sys.modules[name] = ModuleType(name)
        sys.modules["torchvision"].transforms = sys.modules["torchvision.transforms"]
        sys.modules["torchvision.transforms"].functional = sys.modules["torchvision.transforms.functional"]


def normals(x: Tensor, mask: Tensor, maps: Tensor) -> dict[str, Callable]:
    """A^H A x of every peer, ready for `Row.peers`; x (batch, n, n)."""

    def sigpy():
        N, arrays = sigpy_sense(mask, maps).N, [array(one) for one in x]
        return lambda: [N(one) for one in arrays]

    def bartorch():
        A = bartorch_sense(mask, maps, (len(x),) if len(x) > 1 else ())
        images = x if len(x) > 1 else x[0]
        return lambda: A.normal(images)

    def mrpro():
        A, images = mrpro_sense(mask, maps), x[:, None, None]
        N = A.gram
        return lambda: N(images)[0]

    return {"sigpy": sigpy, "bartorch": bartorch, "mrpro": mrpro}


def bare_ffts(x: Tensor, maps: Tensor, axes: tuple[int, ...]) -> Callable:
    """Nothing but a transform of every coil and its inverse, once for each sample."""

    def run():
        for _ in range(len(x)):
            images = torch.fft.ifftn(torch.fft.fftn(maps, dim=axes), dim=axes)
        return images

    return lambda: run
