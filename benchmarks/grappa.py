"""GRAPPA at R = 2, 3, 4 with 24 calibration lines, against pygrappa; the error of all coils to the scan without noise.

A peer's kernel is what it calls (5, 5): samples of the full grid, so of the width only those on acquired lines count.
"""

from collections.abc import Iterator

import numpy as np
import torch

from course_lib.sampling import acs, uniform
from course_lib.solve.grappa import grappa

from .compare import relative
from .harness import Goal, Row, Scale
from .peers import numpy_only
from .problem import Problem, forward

CALIBRATION, KERNEL, LAM = 24, (5, 4), 1e-3
NOISE = 0.0005  # little, so that the error is GRAPPA's own
LIMIT = {2: 0.0099, 3: 0.0124, 4: 0.0364}  # what pygrappa reaches with its own settings


def rows(scale: Scale) -> Iterator[Row]:
    problem = Problem(scale)
    full = forward(problem.image, torch.ones(1, 1, 1, scale.n, device=scale.device), problem.maps)
    for R in (2, 3, 4):
        yield _row(scale, problem, full, R)


def _row(scale: Scale, problem: Problem, full: torch.Tensor, R: int) -> Row:
    mask = uniform(scale.n, R, min(CALIBRATION, scale.n)).to(scale.device)
    y = problem.kspace(mask, NOISE)
    start, stop = acs(mask)

    def arrays():
        data = numpy_only(y[0].movedim(0, -1)).astype(np.complex128)  # what cgrappa takes
        return data, np.ascontiguousarray(data[:, start:stop])

    settings = {"kernel_size": (5, 5), "coil_axis": -1}

    def ours():
        return lambda: grappa(y, mask, KERNEL, LAM)

    def cgrappa():
        from pygrappa import cgrappa

        data, block = arrays()
        return lambda: np.moveaxis(cgrappa(data, block, **settings), -1, 0)

    def mdgrappa():
        from pygrappa import mdgrappa

        data, block = arrays()
        return lambda: np.moveaxis(mdgrappa(data, block, **settings), -1, 0)

    return Row(
        f"GRAPPA, R = {R}, {stop - start} calibration lines",
        ours,
        {"pygrappa.cgrappa": cgrappa, "pygrappa.mdgrappa": mdgrappa},
        relative(full[0]),
        tolerance=LIMIT[R] if scale.n >= 320 else 0.2,
        goals=(Goal("best peer", 6.0),),
        unit="NRMSE",
        note=f"{KERNEL[0]} rows x {KERNEL[1]} acquired lines, ridge {LAM:g}; weights are fitted within the time",
    )
