"""RAKI (Akcakaya, Moeller, Weingaertner & Ugurbil, Magn. Reson. Med. 2019).

min_f ||f(k) - T||^2        on the calibration lines k of this scan; T: those between the lines that f sees

f = F3 act F2 act F1        one such CNN for the real, one for the imaginary part of each coil; act = ReLU
k <- y where acquired, else f(y)     the same networks wherever lines are missing
x <- sum conj(maps) F^H k            the coils are combined
"""

import torch

from ...blocks import REACH, Interpolator
from ...ops.linear import LinearOperator
from ...sampling import uniform
from ...shapes import Image, KSpace
from ...solve import adam, grappa
from ..base import Reconstructor, cartesian, combine, method


@method(
    "raki",
    ref=36,
    section="2.2",
    learns="scan",
    small=dict(steps=200, lr=1e-2),
    differs=(
        "kernels, widths, random start, Adam's 3e-3 and 1000 steps are those of the authors' public code",
        "mean squared error instead of its root; k-space is scaled by the energy of T",
        "the gap lies between the last two of the three lines that f sees, in the code between the first two",
        "beyond its edge k-space is zero; coils are combined with maps instead of a sum of squares",
    ),
    sampling=lambda width, seed: uniform(width, 2, 12, offset=1),
)
class RAKI(Reconstructor):
    def __init__(self, widths: tuple[int, int] = (32, 8), steps: int = 1000, lr: float = 3e-3, act=torch.relu):
        super().__init__()
        self.widths, self.steps, self.lr, self.act = widths, steps, lr, act

    def learn(self, y: KSpace, mask: torch.Tensor, watch=None) -> Interpolator:
        """The networks of one scan; `watch` sees the error before each step, over the energy of T."""
        k, T, R = grappa.pairs(y, mask, REACH)
        k, T = (v / T.abs().square().mean().sqrt() for v in (k, T))
        f = Interpolator(y.shape[1], R - 1, self.widths, self.act).to(y.device)
        adam(lambda: (f(k, R) - T).abs().square().mean(), f.parameters(), self.steps, self.lr, watch)
        return f

    def kspace(self, y: KSpace, A: LinearOperator) -> KSpace:
        return grappa.scan_by_scan(y, cartesian(A).mask, REACH, self.learn)

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        return combine(self.kspace(y, A), A)


def claim_acquired_samples_stay(model, sample):
    k = model.kspace(sample.kspace, sample.A)
    assert (k * sample.mask == sample.kspace).all() and (k != 0).float().mean() > 0.99


def claim_at_R_4_it_has_the_88_thousand_weights_of_the_paper_for_8_coils(model, sample):
    weights = [sum(p.numel() for p in Interpolator(coils, 3).parameters()) for coils in (8, 16, 32)]
    assert weights == [88_320, 340_480, 1_336_320]


def claim_without_its_activation_it_is_linear_and_with_it_it_is_not(model, sample):
    y, other, off = sample.kspace, 1j * sample.kspace.flip(1), []
    for model.act in (lambda v: v, torch.relu):
        f = model.learn(y, sample.mask)
        off.append((f(y + other) - f(y) - f(other)).norm() / f(y).norm())
    assert off[0] < 1e-4 < 1e-2 < off[1]


def claim_brighter_scans_give_brighter_images(model, sample):
    x, brighter = (model(size * sample.kspace, sample.A) for size in (1, 1000))
    assert (brighter - 1000 * x).norm() < 1e-3 * brighter.norm()


def claim_it_learns_from_the_calibration_lines_alone(model, sample):
    outside = sample.kspace * (1 + (torch.arange(32) < 4))
    f, same = (model.learn(y, sample.mask).parameters() for y in (sample.kspace, outside))
    assert all(torch.equal(p, q) for p, q in zip(f, same))
