"""LORAKS (Haldar, IEEE Trans. Med. Imaging 2014); many coils: P-LORAKS (Haldar & Zhuo, Magn. Reson. Med. 2016).

min_k ||M k - y||^2 + lam J(S(k))     J: the energy that a matrix of the given rank cannot hold

N <- right singular vectors of S(k) beyond the rank: the filters that should turn k to 0
k <- argmin_k ||M k - y||^2 + lam ||S(k) N||^2, by conjugate gradients
x = S_c^H F^H k: the coil maps only combine the completed coils
"""

import torch

from ...ops.linear import LinearOperator
from ...ops.sense import Coils, Fourier
from ...shapes import Image, KSpace
from ...solve import cg
from ...solve.loraks import Neighbourhoods, loraks
from ..base import Reconstructor, cartesian, combine, method


@method(
    "loraks",
    ref=39,
    section="2.2",
    learns="nothing",
    small=dict(share=0.3),
    differs=(
        "k-space counts as periodic: windows over its rim are wrapped, not left out",
        "the rank is a share of the columns of S; it stops after a fixed number of iterations",
    ),
    knob=("share", (0.1, 0.15, 0.2, 0.25, 0.3, 0.4)),
)
class LORAKS(Reconstructor):
    def __init__(self, share: float = 0.25, lam: float = 0.3, radius: int = 3, iterations: int = 25):
        super().__init__()
        self.share, self.lam, self.radius, self.iterations = share, lam, radius, iterations

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        rank = max(1, round(self.share * Neighbourhoods(y, self.radius, phase=True).unknowns))
        k = loraks(y, cartesian(A).mask, rank, self.lam, self.radius, iterations=self.iterations)
        return combine(k, A)


def _lost(k, phase, rank):
    """The energy that a matrix of this rank cannot hold."""
    return torch.linalg.eigvalsh(Neighbourhoods(k, 3, phase).gram())[:, :-rank].sum()


def claim_S_has_low_rank_for_an_image_of_smooth_phase_and_not_of_random_phase(model, sample):
    magnitude, u = sample.image[:, None].abs(), torch.linspace(-1, 1, sample.image.shape[-1])
    wild = 6.3 * torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(0))
    k = [Fourier()(torch.polar(magnitude, phase.expand_as(wild))) for phase in (u + 0.5 * u[:, None], wild)]
    assert _lost(k[0], True, 29) < 0.1 * _lost(k[1], True, 29)


def claim_C_has_low_rank_for_an_image_of_limited_support(model, sample):
    wild = torch.randn(1, 1, 32, 32, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    small = wild * (torch.arange(32) % 22 > 9)  # the middle 12 columns
    assert _lost(Fourier()(small), False, 20) < 0.1 * _lost(Fourier()(wild), False, 20)


def claim_acquired_samples_are_kept_as_lam_goes_to_zero(model, sample):
    y, A = sample.kspace, sample.A
    off = [(A.mask * loraks(y, A.mask, 46, lam) - y).norm() / y.norm() for lam in (1e-5, 1e-1)]
    assert off[0] < 1e-3 < off[1]


def claim_its_objective_never_rises(model, sample):
    y, A, lam, found = sample.kspace, sample.A, 0.1, []
    objective = lambda k, i: found.append((A.mask * k - y).abs().square().sum() + lam * _lost(k, True, 40))
    loraks(y, A.mask, 40, lam, iterations=12, watch=objective)
    assert all(after < before * 1.00001 for before, after in zip(found, found[1:])) and found[-1] < 0.9 * found[0]


def claim_at_full_rank_it_is_zero_filled(model, sample):
    assert torch.equal(LORAKS(share=1.0)(sample.kspace, sample.A), (Fourier() @ Coils(sample.maps)).H(sample.kspace))


def claim_it_finds_more_than_coil_maps_alone_would(model, sample):
    y, A = sample.kspace, sample.A
    assert (model(y, A) - sample.image).norm() < 0.9 * (cg(A.N, A.H(y)) - sample.image).norm()
