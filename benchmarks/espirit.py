"""ESPIRiT maps from a 24 x 24 calibration block with 6 x 6 kernels, against the definition in complex128.

Maps are compared where the eigenvalue is above 0.95, each pixel up to a phase, which ESPIRiT leaves free.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from course_lib.solve.calibrate import espirit

from .compare import plain
from .harness import Goal, Row, Scale
from .peers import array
from .problem import Problem

CALIBRATION, KERNEL, THRESHOLD = 24, 6, 0.02
EVERY = 5  # the definition is slow: every fifth row of pixels is compared


def rows(scale: Scale) -> Iterator[Row]:
    problem = Problem(scale)
    kspace = problem.kspace(torch.ones_like(problem.points), noise=0.002)
    size = min(CALIBRATION, scale.n)

    def ours():
        return lambda: espirit(kspace, size, KERNEL, THRESHOLD, crop=0.0)

    def sigpy():
        import sigpy.mri

        data = array(kspace[0])
        settings = {
            "device": sigpy.get_device(data),
            "calib_width": size,
            "thresh": THRESHOLD,
            "kernel_width": KERNEL,
            "crop": 0,
            "show_pbar": False,
        }
        return lambda: sigpy.mri.app.EspiritCalib(data, **settings).run()

    def bartorch():
        from bartorch.tools import ecalib

        settings = {"maps": 1, "calib_size": size, "threshold": THRESHOLD**2, "crop": 0.0, "kernel_size": KERNEL}
        return lambda: ecalib(kspace[0], **settings)

    yield Row(
        "ESPIRiT, 24 x 24 calibration, 6 x 6 kernels",
        ours,
        {"sigpy": sigpy, "bartorch": bartorch},
        up_to_phase(*reference(kspace[0].to(torch.complex128), size)),
        tolerance=2e-3,
        limits={"matrix product of the windows": lambda: windows(kspace[0], size)},
        goals=(Goal("best peer", 2),),
    )


def windows(kspace: Tensor, size: int) -> Callable[[], Tensor]:
    rows = _windows(kspace, size)
    return lambda: rows.mH @ rows


def reference(kspace: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Maps (coil, rows, n) and eigenvalue (rows, n): singular values, then one eigenproblem per pixel of some rows."""
    vectors = torch.linalg.svd(_windows(kspace, size), full_matrices=False)
    kernels = vectors.Vh[vectors.S > THRESHOLD * vectors.S[0]].reshape(-1, len(kspace), KERNEL, KERNEL).conj()
    waves = [_waves(n, kspace.device) for n in kspace.shape[-2:]]
    values, maps = [], []
    for row in waves[0][::EVERY]:
        inside = torch.einsum("kcij,i,wj->wkc", kernels, row, waves[1]) / KERNEL
        energy, vector = torch.linalg.eigh(inside.mH @ inside)
        values.append(energy[:, -1])
        maps.append(vector[:, :, -1].mT)
    return torch.stack(maps, 1), torch.stack(values)


def _windows(kspace: Tensor, size: int) -> Tensor:
    top, left = (n // 2 - size // 2 for n in kspace.shape[-2:])
    block = kspace[:, top : top + size, left : left + size].unfold(1, KERNEL, 1).unfold(2, KERNEL, 1)
    return block.permute(1, 2, 0, 3, 4).reshape(-1, len(kspace) * KERNEL**2)


def _waves(n: int, device: torch.device) -> Tensor:
    """(n, kernel): exp(-2 pi i r j / n) of pixel r, counted from the centre, and of tap j of a kernel."""
    pixel = torch.arange(n, dtype=torch.float64, device=device) - n // 2
    tap = torch.arange(KERNEL, dtype=torch.float64, device=device)
    return torch.exp(-2j * torch.pi * pixel[:, None] * tap / n)


def up_to_phase(maps: Tensor, eigenvalue: Tensor) -> Callable[[object], float]:
    maps, inside = maps.cpu(), (eigenvalue > 0.95).cpu()

    def difference(x: object) -> float:
        x = plain(x).reshape(len(maps), -1, maps.shape[-1])[:, ::EVERY]
        x = x * torch.sgn((x.conj() * maps).sum(0))
        return float(torch.linalg.vector_norm((x - maps)[:, inside]) / torch.linalg.vector_norm(maps[:, inside]))

    return difference
