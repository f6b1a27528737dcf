"""CG-SENSE: A^H y and ten conjugate gradient iterations from zero; operators are set up before (Pruessmann 2001)."""

from collections.abc import Iterator

import torch
from torch import Tensor

from course_lib.ops import Sense
from course_lib.solve import cg

from .compare import relative
from .harness import Goal, Row, Scale
from .peers import array, bartorch_sense, mrpro_sense, sigpy_sense
from .problem import Problem, adjoint, normal

ITERATIONS = 10


def rows(scale: Scale) -> Iterator[Row]:
    problem = Problem(scale)
    yield row("CG-SENSE, 10 iterations, line mask", problem, problem.lines, 3)
    yield row("CG-SENSE, 10 iterations, 2-D mask", problem, problem.points, 2)


def row(title: str, problem: Problem, mask: Tensor, ratio: float) -> Row:
    maps, y = problem.maps, problem.kspace(mask)

    def ours():
        A = Sense(mask, maps)
        return lambda: cg(A.N, A.H(y), iterations=ITERATIONS)

    exact = cg(lambda x: normal(x, mask, maps), adjoint(y, mask, maps), iterations=ITERATIONS)
    return Row(
        title,
        ours,
        peers(y, mask, maps),
        relative(exact),
        tolerance=1e-3,
        limits={"ten times two bare FFTs": limit(maps, (-1,) if mask.shape[-2] == 1 else (-2, -1))},
        goals=(Goal("best peer", ratio),),
    )


def limit(maps: Tensor, axes: tuple[int, ...]):
    def run():
        for _ in range(ITERATIONS):
            torch.fft.ifftn(torch.fft.fftn(maps, dim=axes), dim=axes)

    return lambda: run


def peers(y: Tensor, mask: Tensor, maps: Tensor) -> dict:
    def sigpy():
        import sigpy

        A, data = sigpy_sense(mask, maps), array(y[0])

        def run():
            b = A.H(data)
            x = 0 * b
            solver = sigpy.alg.ConjugateGradient(A.N, b, x, max_iter=ITERATIONS)
            while not solver.done():
                solver.update()
            return x

        return run

    def bartorch():
        from bartorch.optim import CG

        A = bartorch_sense(mask, maps)
        return lambda: CG(maxiter=ITERATIONS)(y[0], A)

    def mrpro():
        A = mrpro_sense(mask, maps)
        from mrpro.algorithms.optimizers import cg as solve

        data = y[:, :, None]
        return lambda: solve(A.gram, A.H(data)[0], max_iterations=ITERATIONS, tolerance=0)[0]

    return {"sigpy": sigpy, "bartorch": bartorch, "mrpro": mrpro}
