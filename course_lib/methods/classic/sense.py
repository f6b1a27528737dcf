"""SENSE (Pruessmann, Weiger, Scheidegger & Boesiger, Magn. Reson. Med. 1999).

a = S x                       a: the aliased coil images; R pixels of x lie on each other, seen through the maps S

x <- (S^H S + lam)^-1 S^H a   for each group of R pixels by itself
"""

import torch

from ...ops.linear import LinearOperator
from ...sampling import uniform
from ...shapes import Image, KSpace
from ...solve import cg
from ...solve.unfold import unfold
from ..base import Reconstructor, cartesian, method


@method(
    "sense",
    ref=1,
    section="1.1",
    learns="nothing",
    differs=("no noise decorrelation inside: whiten the data first", "lam = 0 is the paper's unregularised problem"),
    sampling=lambda width, seed: uniform(width, 3 if width % 3 == 0 else 2, offset=1),
    knob=("lam", (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)),
)
class Sense(Reconstructor):
    def __init__(self, lam: float = 0.0):
        super().__init__()
        self.lam = lam

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        A = cartesian(A)
        masks, maps = (a.expand(len(y), *a.shape[1:]).split(1) for a in (A.mask, A.maps))
        return torch.cat([unfold(a, mask, S, self.lam) for a, mask, S in zip(y.split(1), masks, maps)])


def claim_it_is_what_cg_sense_converges_to(model, sample):
    y, A = sample.kspace, sample.A
    x = cg(A.N, A.H(y), iterations=100)
    assert (model(y, A) - x).abs().max() < 1e-3 * x.abs().max()


def claim_coils_that_differ_give_the_truth_back(model, sample):
    assert (model(sample.A(sample.image), sample.A) - sample.image).abs().max() < 1e-3


def claim_calibration_lines_do_not_change_it(model, sample):
    A = sample.A
    more = type(A)(uniform(A.mask.shape[-1], 2, 8, offset=1), A.maps)
    assert (model(more(sample.image), more) - model(A(sample.image), A)).abs().max() < 1e-5


def claim_lam_shrinks_what_the_coils_see_badly(model, sample):
    y, A = sample.kspace, sample.A
    x = Sense(lam=0.1)(y, A)
    assert (A.N(x) + 0.1 * x - A.H(y)).abs().max() < 1e-4
