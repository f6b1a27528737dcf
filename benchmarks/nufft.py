"""Non-uniform FFT: 400 golden-angle spokes of 640 samples, 8 coils: forward, adjoint, and set-up with the first use."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from . import trajectory
from .compare import plain, relative
from .harness import Goal, Row, Scale
from .peers import array, numpy_only
from .problem import Problem

TOLERANCE = 2e-3
Pair = Callable[[], tuple[Callable, Callable]]  # prepare() -> (forward, adjoint), both without arguments


def rows(scale: Scale) -> Iterator[Row]:
    spokes, images = trajectory.spokes(scale), coil_images(scale)
    kspace = trajectory.forward(images, spokes)
    data = kspace.to(torch.complex64)
    pairs = {"course_lib": lambda: course_lib(images, data, spokes)} | peers(images, data, spokes)
    checks = relative(kspace), some_pixels(data, spokes, images.shape[-2:])
    goals = (Goal("finufft", 1.4), Goal("bartorch", 1.0))
    for part, (word, check) in enumerate(zip(("forward", "adjoint"), checks)):
        runs = {name: (lambda pair=pair, part=part: pair()[part]) for name, pair in pairs.items()}
        limits = {"one bare FFT on 1.5 times the grid": lambda: bare_fft(images)}
        yield Row(f"NUFFT {word}", runs.pop("course_lib"), runs, check, TOLERANCE, limits, goals)
    once = {name: (lambda pair=pair: lambda: pair()[0]()) for name, pair in pairs.items()}
    yield Row("NUFFT set-up and first forward", once.pop("course_lib"), once, checks[0], TOLERANCE)


def coil_images(scale: Scale) -> Tensor:
    """(coil, n, n), half as many coils as the Cartesian rows."""
    problem = Problem(scale)
    return (problem.maps * problem.image[:, None])[0, ::2].contiguous()


def bare_fft(images: Tensor) -> Callable[[], Tensor]:
    grid = images.new_zeros(len(images), *(n * 3 // 2 for n in images.shape[-2:]))
    return lambda: torch.fft.fft2(grid)


def pixels(shape: torch.Size) -> tuple[Tensor, Tensor]:
    """Rows and columns of 200 random pixels, where an exact adjoint is affordable."""
    generator = torch.Generator().manual_seed(0)
    rows, columns = (torch.randint(n, (200,), generator=generator) for n in shape)
    return rows, columns


def some_pixels(data: Tensor, spokes: Tensor, shape: torch.Size) -> Callable[[object], float]:
    rows, columns = pixels(shape)
    check = relative(trajectory.adjoint_at(data, spokes, rows.to(data.device), columns.to(data.device), shape))
    return lambda x: check(plain(x).reshape(-1, *shape)[:, rows, columns])


def course_lib(images: Tensor, data: Tensor, spokes: Tensor):
    from course_lib.ops.radial import Radial

    A = Radial(spokes, tuple(images.shape[-2:]))
    return lambda: A(images[None]), lambda: A.H(data[None])


def peers(images: Tensor, data: Tensor, spokes: Tensor) -> dict[str, Pair]:
    n, coils = images.shape[-1], len(images)
    points = spokes.double().flatten(0, 1)

    def finufft():
        import finufft

        ky, kx = (2 * np.pi * points.cpu()).float().T.contiguous().numpy()
        settings = {"n_trans": coils, "eps": 1e-4, "dtype": "complex64"}
        plans = [finufft.Plan(2, (n, n), isign=-1, **settings), finufft.Plan(1, (n, n), isign=1, **settings)]
        for plan in plans:
            plan.setpts(ky, kx)
        x, y = numpy_only(images), numpy_only(data.flatten(1))
        return lambda: plans[0].execute(x) / n, lambda: plans[1].execute(y) / n

    def bartorch():
        from bartorch.linop import NUFFT

        A = NUFFT((n * spokes.flip(-1)).float().contiguous(), tuple(images.shape))
        return lambda: A(images), lambda: A.adjoint(data)

    def sigpy():
        import sigpy

        coordinates, x, y = array((n * spokes).float()), array(images), array(data)
        A = sigpy.linop.NUFFT(x.shape, coordinates)
        return lambda: A(x), lambda: A.H(y)

    def torchkbnufft():
        import torchkbnufft

        angles = (2 * torch.pi * points.T).float().contiguous()
        net = torchkbnufft.KbNufft(im_size=(n, n)).to(images)
        back = torchkbnufft.KbNufftAdjoint(im_size=(n, n)).to(images)
        y = data.flatten(1)[None]  # its "ortho" divides by the root of its own grid, twice ours
        return lambda: 2 * net(images[None], angles, norm="ortho"), lambda: 2 * back(y, angles, norm="ortho")

    return {"finufft": finufft, "bartorch": bartorch, "sigpy": sigpy, "torchkbnufft": torchkbnufft}
