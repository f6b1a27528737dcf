"""The normal operator of radial SENSE, S^H F^H F S, as a convolution (Toeplitz) where a library has one."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from . import trajectory
from .compare import plain, relative
from .harness import Goal, Row, Scale
from .nufft import TOLERANCE, pixels
from .peers import numpy_only
from .problem import Problem


def rows(scale: Scale) -> Iterator[Row]:
    problem, spokes = Problem(scale), trajectory.spokes(scale)
    x, maps = problem.image, problem.maps[:, ::2]
    maps = maps / torch.linalg.vector_norm(maps, dim=1, keepdim=True)
    shape = tuple(x.shape[-2:])

    def ours():
        from course_lib.ops import Coils
        from course_lib.ops.radial import Radial

        N = (Radial(spokes, shape) @ Coils(maps)).N
        return lambda: N(x)

    def bartorch():
        from bartorch.linop import NoncartesianSense

        A = NoncartesianSense(maps[0], shape, traj=(shape[0] * spokes.flip(-1)).float().contiguous(), toeplitz=True)
        return lambda: A.normal(x[0])

    yield Row(
        "radial normal operator (Toeplitz)",
        ours,
        {"bartorch": bartorch, "finufft pair": lambda: finufft_pair(x, maps, spokes)},
        some_pixels(x, maps, spokes),
        tolerance=TOLERANCE,
        limits={"two bare FFTs on twice the grid": lambda: bare_ffts(maps)},
        goals=(Goal("best peer", 2),),
    )


def some_pixels(x: Tensor, maps: Tensor, spokes: Tensor) -> Callable[[object], float]:
    """The exact sum, compared at 200 random pixels."""
    images = (maps * x[:, None])[0]
    rows, columns = (i.to(x.device) for i in pixels(x.shape[-2:]))
    back = trajectory.adjoint_at(trajectory.forward(images, spokes), spokes, rows, columns, x.shape[-2:])
    check = relative((maps[0][:, rows, columns].conj() * back).sum(0))
    return lambda found: check(plain(found).reshape(x.shape[-2:])[rows.cpu(), columns.cpu()])


def finufft_pair(x: Tensor, maps: Tensor, spokes: Tensor) -> Callable[[], np.ndarray]:
    import finufft

    shape, coils = tuple(x.shape[-2:]), maps.shape[1]
    settings = {"n_trans": coils, "eps": 1e-4, "dtype": "complex64"}
    there, back = finufft.Plan(2, shape, isign=-1, **settings), finufft.Plan(1, shape, isign=1, **settings)
    points = (2 * np.pi * spokes.double().cpu().flatten(0, 1)).float().T.contiguous().numpy()
    for plan in (there, back):
        plan.setpts(*points)
    image, S = numpy_only(x), numpy_only(maps[0])
    return lambda: (S.conj() * back.execute(there.execute(S * image))).sum(0) / image.size


def bare_ffts(maps: Tensor) -> Callable[[], Tensor]:
    grid = maps.new_zeros(maps.shape[1], *(2 * n for n in maps.shape[-2:]))
    return lambda: torch.fft.ifft2(torch.fft.fft2(grid))
