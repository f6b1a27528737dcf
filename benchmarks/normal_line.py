"""A^H A of SENSE with a line mask: one sample, and a batch whose cost must grow no faster than its size."""

from collections.abc import Iterator

from torch import Tensor

from course_lib.ops import Sense

from .compare import relative
from .harness import Goal, Row, Scale
from .peers import bare_ffts, normals
from .problem import Problem, normal


def rows(scale: Scale) -> Iterator[Row]:
    problem = Problem(scale)
    one, many = problem.image, problem.batch(scale.batch)
    yield row("A^H A, line mask, batch 1", one, problem, Goal("two bare 1-D FFTs", 1 / 1.25))
    yield row(f"A^H A, line mask, batch {scale.batch}", many, problem)


def row(title: str, x: Tensor, problem: Problem, *goals: Goal) -> Row:
    mask, maps = problem.lines, problem.maps

    def ours():
        N = Sense(mask, maps).N
        return lambda: N(x)

    return Row(
        title,
        ours,
        normals(x, mask, maps),
        relative(normal(x, mask, maps)),
        tolerance=1e-5,
        limits={
            "two bare 1-D FFTs": bare_ffts(x, maps, (-1,)),
            "two bare 2-D FFTs": bare_ffts(x, maps, (-2, -1)),
        },
        goals=(Goal("best peer", 4), *goals),
    )
