"""ALOHA (Jin, Lee & Ye, IEEE Trans. Comput. Imaging 2016).

min_k ||H(w k)||_*  with  M k = y     w k: k-space of the image's differences; H: its windows as the rows of a matrix

k <- y where acquired, else what fits the low-rank U V^H - L best
U, V, L <- a step of alternating directions on X = H(w k) = U V^H
x = S_c^H F^H k: the coil maps only combine the completed coils
"""

import torch

from ...ops.hankel import Hankel
from ...ops.linear import LinearOperator
from ...ops.sense import Fourier
from ...shapes import Image, KSpace
from ...solve import cg
from ...solve.aloha import WeightedHankel, aloha, derivatives
from ..base import Reconstructor, cartesian, combine, method


@method(
    "aloha",
    ref=33,
    section="2.2",
    learns="nothing",
    small=dict(share=0.25),
    differs=(
        "one scale of Haar weights, along the axes that miss samples, without the paper's pyramid of scales",
        "U and V start at the singular vectors of the zero-filled matrix, not at LMaFit's",
        "the rank is a share of the columns, so that one setting serves any number of coils",
    ),
    knob=("share", (0.1, 0.15, 0.2, 0.25, 0.3)),
)
class ALOHA(Reconstructor):
    def __init__(self, share: float = 0.2, mu: float = 100.0, kernel: int = 7, iterations: int = 25):
        super().__init__()
        self.share, self.mu, self.kernel, self.iterations = share, mu, kernel, iterations

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        rank = max(1, round(self.share * y.shape[1] * self.kernel**2))
        k = aloha(y, cartesian(A).mask, rank, self.mu, self.kernel, self.iterations)
        return combine(k, A)


def _values(image, kernel, weighted):
    """Singular values, largest first, of the windows of the k-space of one coil image."""
    k = Fourier()(image[:, None])
    hankel = Hankel((k.shape[-2], k.shape[-1]), (kernel, kernel))
    return torch.linalg.svdvals((WeightedHankel(hankel, derivatives(k)) if weighted else hankel)(k))[0]


def claim_differences_of_a_piecewise_constant_image_have_low_rank(model, sample):
    image = torch.zeros(1, 32, 32, dtype=torch.complex128)
    image[:, 6:21, 9:25] = torch.tensor(1 + 1j)
    weighted, plain = _values(image, 7, True), _values(image, 7, False)
    assert weighted[24] < 1e-6 * weighted[23] and plain[24] > 1e-3 * plain[0]  # two rows, two columns: 7^2 - 5^2


def claim_acquired_samples_are_kept(model, sample):
    y, A = sample.kspace, sample.A
    assert torch.equal(A.mask * aloha(y, A.mask, 20, 100.0, 5), y)


def claim_with_all_samples_nothing_changes(model, sample):
    A = type(sample.A)(0 * sample.mask + 1, sample.maps)
    y = A(sample.image)
    assert (model(y, A) - A.H(y)).abs().max() < 1e-5


def claim_the_windows_of_its_result_come_close_to_the_rank(model, sample):
    y, A = sample.kspace, sample.A
    X = WeightedHankel(Hankel((32, 32), (5, 5)), derivatives(y))
    beyond = lambda k: torch.linalg.svdvals(X(k))[:, 40:].norm() / X(k).norm()
    assert beyond(aloha(y, A.mask.expand(-1, -1, 32, -1), 40, 100.0, 5)) < 0.6 * beyond(y)


def claim_it_finds_more_than_coil_maps_alone_would(model, sample):
    y, A = sample.kspace, sample.A
    assert (model(y, A) - sample.image).norm() < 0.9 * (cg(A.N, A.H(y)) - sample.image).norm()
