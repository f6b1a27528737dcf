"""Review, section 1.1: does one lambda serve all?"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from .. import data
from ..data.dataset import Slice
from ..data.sample import Sample
from ..methods.base import card
from ..profiles import Profile
from ..sampling import protocol
from ..scores import bootstrap
from . import scans
from .base import Verdict, decide, experiment
from .statistics import words

VISIBLE = 0.2  # margin in dB
LAMBDAS = [10 ** (-3.5 + i / 3) for i in range(7)]  # 3e-4 ... 3e-2
APPLICATIONS = [(R, noise) for R in (3, 6) for noise in (1, 3)]  # acceleration, times the noise of the scan


@experiment(8, "1.1", "The best lambda depends on the application and on the patient.")
def dependence(where: Profile) -> Verdict:
    validation, test = {"ci": (2, 2), "cpu": (6, 3), "gpu": (6, 3)}[where.name]
    slices = scans.full("val", where, validation) + scans.full("test", where, test)
    return one_for_all(torch.stack([quality(slices, R, noise) for R, noise in APPLICATIONS]))


def quality(slices: Sequence[Slice], R: int, noise: int) -> Tensor:
    """PSNR (slice, lambda) of TV in one application."""
    samples = [scanned(s, R, noise, seed) for seed, s in enumerate(slices)]
    return torch.stack([scans.psnr(card("cs_tv").build(lam=lam, iterations=50), samples) for lam in LAMBDAS], 1)


def scanned(whole: Slice, R: int, noise: int, seed: int) -> Sample:
    whole = scans.noisier(whole, noise, seed)
    mask = protocol(R)(whole.kspace.shape[-1], seed)
    return data.undersample(whole.kspace, whole.maps, mask, whole.image)


def one_for_all(psnr: Float[Tensor, "application image lambda"]) -> Verdict:
    """What each image loses with the lambda that is best on average, against the best lambda of its own."""
    best = psnr.amax(-1)
    shared = psnr[..., psnr.mean((0, 1)).argmax()]
    known = torch.stack([p[:, p.mean(0).argmax()] for p in psnr])  # one lambda for each application
    effect = bootstrap((best - shared).mean(0))
    patients = bootstrap((best - known).mean(0))
    steps = psnr.argmax(-1).double()  # a step is a third of a decade
    at_edge = float(((steps == 0) | (steps == psnr.shape[-1] - 1)).double().mean())
    remark = (
        f"TV. One lambda for each application (R, noise) leaves {words(patients)} dB to the patient; "
        f"the largest loss of one image is {float((best - shared).max()):.2f} dB. "
        f"Standard deviation of log10 of the best lambda: {float(steps.mean(1).std()) / 3:.2f} between applications, "
        f"{float(steps.std(1).mean()) / 3:.2f} between images of one; {100 * at_edge:.0f} % at an end of the grid."
    )
    return Verdict(decide(effect, VISIBLE), effect, "PSNR (dB) lost by one lambda for everything", remark)
