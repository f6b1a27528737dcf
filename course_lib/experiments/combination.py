"""Review, section 1.1: parallel imaging and compressed sensing together."""

from collections.abc import Sequence

import torch

from ..data.sample import Sample
from ..evaluate import tune
from ..methods.base import Reconstructor, card
from ..ops import Sense
from ..ops.linear import LinearOperator
from ..profiles import Profile
from ..scores import bootstrap
from ..shapes import Image, KSpace
from . import scans
from .base import Verdict, decide, experiment
from .scans import LAMBDAS, over_the_best, psnr
from .statistics import words

VISIBLE = 0.2  # margin in dB


class CoilByCoil(Reconstructor):
    """A method on the data of each coil alone; the coil images are then combined with the maps."""

    def __init__(self, method: Reconstructor):
        super().__init__()
        self.method = method

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        assert isinstance(A, Sense)
        coils = y.flatten(0, 1)[:, None]
        mask = A.mask.expand(len(y), *A.mask.shape[1:]).repeat_interleave(y.shape[1], 0)
        images = self.method(coils, Sense(mask, torch.ones_like(coils)))
        return (A.maps.conj() * images.unflatten(0, y.shape[:2])).sum(1)


@experiment(5, "1.1", "Compressed sensing can be readily combined with parallel imaging.")
def combination(where: Profile) -> Verdict:
    count = {"ci": 4, "cpu": 12, "gpu": 12}[where.name]
    validation, test, real = (scans.few(s, where, n) for s, n in (("val", 3), ("test", count), ("real", 5)))
    iterations = tune(lambda n: card("sense_cg").build(iterations=int(n)), validation, [2, 3, 5, 8, 12, 18])
    alone = tune(lambda lam: CoilByCoil(card("cs_wavelet").build(lam=lam)), validation, LAMBDAS)
    parts = card("sense_cg").build(iterations=int(iterations)), CoilByCoil(card("cs_wavelet").build(lam=alone))
    return better_together(scans.tuned("cs_wavelet", validation), parts, test, real)


def better_together(
    both: Reconstructor, parts: Sequence[Reconstructor], test: Sequence[Sample], real: Sequence[Sample]
) -> Verdict:
    """PSNR of both minus the better part, slice by slice; parts: parallel imaging, compressed sensing."""
    effect = bootstrap(over_the_best(both, parts, test))
    outside = bootstrap(over_the_best(both, parts, real))
    names = ("parallel imaging", "CS coil by coil", "both")
    levels = ", ".join(f"{n} {psnr(m, test).mean():.2f}" for n, m in zip(names, (*parts, both)))
    remark = f"PSNR on the test subject: {levels} dB; real scan, both minus the better part {words(outside)} dB."
    return Verdict(decide(effect, VISIBLE), effect, "PSNR (dB) of both minus the better of the two alone", remark)
