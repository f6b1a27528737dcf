"""Total variation SENSE, 1/2 ||A x - y||^2 + lam sum |grad x|, with a 2-D and a line mask (Block et al., MRM 2007)."""

from collections.abc import Iterator

from torch import Tensor

from course_lib import build
from course_lib.ops import Sense

from . import reach
from .harness import Row, Scale
from .peers import array, bartorch_sense, sigpy_weights
from .problem import Problem

LAM = 0.002
RHO, RATIO = 0.05, 0.1  # tuned for bartorch on this scan: its defaults are ten times slower here


def rows(scale: Scale) -> Iterator[Row]:
    problem = Problem(scale)
    for word, mask, goal in (("2-D mask", problem.points, 1.4), ("line mask", problem.lines, 2)):
        solvers = contenders(problem.kspace(mask), mask, problem.maps)
        yield reach.row(f"TV, {word}", solvers, problem.image, scale, goal)


def contenders(y: Tensor, mask: Tensor, maps: Tensor) -> dict:
    def course_lib():
        A = Sense(mask, maps)
        return lambda n: build("cs_tv", lam=LAM, iterations=n)(y, A)

    def sigpy():
        import sigpy.mri

        data, S, weights = array(y[0]), array(maps[0]), sigpy_weights(mask, maps)
        device = sigpy.get_device(data)
        app = sigpy.mri.app.TotalVariationRecon
        return lambda n: app(data, S, LAM, weights=weights, max_iter=n, device=device, show_pbar=False).run()

    def primal_dual():
        from bartorch.optim import PRIDU
        from bartorch.priors import TotalVariation

        A = bartorch_sense(mask, maps)
        return lambda n: PRIDU(TotalVariation((-1, -2), LAM), maxiter=n, sigma_tau_ratio=RATIO, eigen=True)(y[0], A)

    def admm():
        from bartorch.optim import ADMM
        from bartorch.priors import TotalVariation

        A = bartorch_sense(mask, maps)
        return lambda n: ADMM(TotalVariation((-1, -2), LAM), maxiter=n, rho=RHO)(y[0], A)

    return {"course_lib": course_lib, "sigpy": sigpy, "bartorch PRIDU": primal_dual, "bartorch ADMM": admm}
