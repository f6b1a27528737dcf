"""A^H A of SENSE with every fourth line and no calibration lines: four pixels couple, no transform is needed."""

from collections.abc import Iterator

from course_lib.ops import Sense

from .compare import relative
from .harness import Goal, Row, Scale
from .peers import bare_ffts, normals
from .problem import Problem, normal


def rows(scale: Scale) -> Iterator[Row]:
    problem = Problem(scale)
    x, mask, maps = problem.image, problem.every_fourth, problem.maps

    def ours():
        N = Sense(mask, maps).N
        return lambda: N(x)

    yield Row(
        "A^H A, uniform mask R = 4, batch 1",
        ours,
        normals(x, mask, maps),
        relative(normal(x, mask, maps)),
        tolerance=1e-5,
        limits={"two bare 1-D FFTs": bare_ffts(x, maps, (-1,))},
        goals=(Goal("best peer", 10),),
    )
