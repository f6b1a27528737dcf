"""Residual RAKI (Zhang et al., Asilomar 2019, as the review cites it; NeuroImage 2022).

min_G,f ||G k + f(k) - T||^2 + eta ||G k - T||^2      on the calibration lines k of this scan, G and f together

G: weights as GRAPPA's      f: RAKI's CNNs, for what G leaves      T: the lines between those that G and f see
k <- y where acquired, else G y + f(y)
x <- sum conj(maps) F^H k             the coils are combined
"""

import torch

from ...blocks import REACH, Interpolator, Residual
from ...ops.linear import LinearOperator
from ...sampling import uniform
from ...shapes import Image, KSpace
from ...solve import adam, grappa
from ..base import Reconstructor, cartesian, combine, method


@method(
    "rraki",
    ref=38,
    section="2.2",
    learns="scan",
    small=dict(steps=100),
    differs=(
        "loss with eta, learning rate and steps are recalled; the layers of f are RAKI's",
        "G starts at GRAPPA's ridge solution and f at 0, the paper's at random; G has complex weights",
        "G sees what f sees: 7 rows of 3 lines",
        "beyond its edge k-space is zero; coils are combined with maps instead of a sum of squares",
    ),
    sampling=lambda width, seed: uniform(width, 2, 12, offset=1),
)
class ResidualRAKI(Reconstructor):
    def __init__(self, steps: int = 1000, lr: float = 3e-3, eta: float = 1.0, lam: float = 1e-3, act=torch.relu):
        super().__init__()
        self.steps, self.lr, self.eta, self.lam, self.act = steps, lr, eta, lam, act

    def learn(self, y: KSpace, mask: torch.Tensor, watch=None) -> Residual:
        """G and f of one scan. `watch` sees the objective before each step, as a part of the energy of T."""
        k, T, R = grappa.pairs(y, mask, REACH)
        f = Interpolator(y.shape[1], R - 1, act=self.act)
        both = Residual(grappa.calibrate(y, mask, REACH, self.lam), f).to(y.device)
        k, T = (v / T.abs().square().mean().sqrt() for v in (k, T))
        off = lambda guess: (guess - T).abs().square().mean()
        objective = lambda: off(both(k, R)) + self.eta * off(grappa.predict(k, both.weights, R))
        adam(objective, both.parameters(), self.steps, self.lr, watch)
        return both

    def kspace(self, y: KSpace, A: LinearOperator) -> KSpace:
        return grappa.scan_by_scan(y, cartesian(A).mask, REACH, self.learn)

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        return combine(self.kspace(y, A), A)


def claim_acquired_samples_stay(model, sample):
    k = model.kspace(sample.kspace, sample.A)
    assert (k * sample.mask == sample.kspace).all() and (k != 0).float().mean() > 0.99


def claim_before_the_first_step_it_is_GRAPPA(model, sample):
    model.steps, y = 0, sample.kspace
    k = grappa.grappa(y, sample.mask, REACH, model.lam)
    assert (model.kspace(y, sample.A) - k).norm() < 1e-4 * k.norm()


def claim_the_CNNs_learn_what_the_linear_branch_leaves(model, sample):
    k, T, R = grappa.pairs(sample.kspace, sample.mask, REACH)
    both = model.learn(sample.kspace, sample.mask)
    left = T - grappa.predict(k, both.weights, R)
    assert (left - both.f(k, R)).norm() < 0.9 * left.norm()


def claim_eta_keeps_the_linear_branch_good_on_its_own(model, sample):
    (k, T, R), off = grappa.pairs(sample.kspace, sample.mask, REACH), []
    for model.eta in (0.0, 10.0):
        off.append((grappa.predict(k, model.learn(sample.kspace, sample.mask).weights, R) - T).norm())
    assert off[1] < 0.95 * off[0]
