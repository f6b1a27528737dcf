"""L1-wavelet SENSE, 1/2 ||A x - y||^2 + lam ||W x||_1, with a 2-D and a line mask (Lustig et al., MRM 2007)."""

from collections.abc import Iterator

from torch import Tensor

from course_lib import build
from course_lib.ops import Sense

from . import reach
from .harness import Row, Scale
from .peers import array, bartorch_sense, sigpy_weights
from .problem import Problem

LAM = 0.001


def rows(scale: Scale) -> Iterator[Row]:
    problem = Problem(scale)
    for word, mask, goal in (("2-D mask", problem.points, 2), ("line mask", problem.lines, 3)):
        solvers = contenders(problem.kspace(mask), mask, problem.maps)
        yield reach.row(f"L1-wavelet, {word}", solvers, problem.image, scale, goal)


def contenders(y: Tensor, mask: Tensor, maps: Tensor) -> dict:
    def course_lib():
        A = Sense(mask, maps)
        return lambda n: build("cs_wavelet", lam=LAM, iterations=n)(y, A)

    def sigpy():
        import sigpy.mri

        data, S, weights = array(y[0]), array(maps[0]), sigpy_weights(mask, maps)
        device = sigpy.get_device(data)
        app = sigpy.mri.app.L1WaveletRecon
        return lambda n: app(
            data, S, LAM, weights=weights, wave_name="db4", max_iter=n, device=device, show_pbar=False
        ).run()

    def bartorch():
        from bartorch.optim import FISTA
        from bartorch.priors import Wavelet

        A = bartorch_sense(mask, maps)
        return lambda n: FISTA(Wavelet((-1, -2), LAM), maxiter=n)(y[0], A)

    return {"course_lib": course_lib, "sigpy": sigpy, "bartorch": bartorch}
