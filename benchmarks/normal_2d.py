"""A^H A of SENSE with a Poisson disc mask in both directions: one sample and a batch."""

from collections.abc import Iterator

from torch import Tensor

from course_lib.ops import Sense

from .compare import relative
from .harness import Goal, Row, Scale
from .peers import bare_ffts, normals
from .problem import Problem, normal


def rows(scale: Scale) -> Iterator[Row]:
    problem = Problem(scale)
    yield row("A^H A, 2-D mask, batch 1", problem.image, problem)
    yield row(f"A^H A, 2-D mask, batch {scale.batch}", problem.batch(scale.batch), problem)


def row(title: str, x: Tensor, problem: Problem) -> Row:
    mask, maps = problem.points, problem.maps

    def ours():
        N = Sense(mask, maps).N
        return lambda: N(x)

    return Row(
        title,
        ours,
        normals(x, mask, maps),
        relative(normal(x, mask, maps)),
        tolerance=1e-5,
        limits={"two bare 2-D FFTs": bare_ffts(x, maps, (-2, -1))},
        goals=(Goal("best peer", 2), Goal("two bare 2-D FFTs", 1 / 1.3)),
    )
