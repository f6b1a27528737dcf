"""DC-CNN: a deep cascade of CNNs (Schlemper, Caballero, Hajnal, Price & Rueckert, IEEE Trans. Med. Imaging 2018).

min_x lam ||A x - y||^2 + ||x - f(x)||^2      f is a CNN that removes aliasing

z <- x + f(x)                                 de-alias; another f in every cascade
x <- (A^H A + 1/lam)^-1 (A^H y + z/lam)       data consistency: acquired samples k become (k + lam y)/(1 + lam)
"""

import torch
from torch import nn

from ...blocks import OnComplex, cnn
from ...losses import l1
from ...ops.linear import LinearOperator
from ...shapes import Image, KSpace
from ...solve import cg, shifted_inverse
from ..base import Reconstructor, method


@method(
    "dc_cnn",
    ref=50,
    section="2.5",
    learns="database",
    thin=True,
    small=dict(cascades=10, width=32, depth=3),
    differs=(
        "many coils: the closed form of Eq. 5 becomes a small inverse for each row of the image, or CG where rows mix",
        "lam is learned, from 20 on; the paper sets it to infinity for data without noise",
        "trained with the l1 loss, which gave better images in short training; the paper's is the squared error",
        "the last convolution of each CNN starts at zero, so training starts at the regularised SENSE image",
    ),
)
class DCCNN(Reconstructor):
    def __init__(self, cascades: int = 5, width: int = 64, depth: int = 5, lam: float = 20.0, cg_iterations: int = 10):
        super().__init__()
        self.cg_iterations = cg_iterations
        self.f = nn.ModuleList(OnComplex(cnn(width=width, depth=depth)) for _ in range(cascades))
        self.lam = nn.Parameter(torch.tensor(lam))

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        x = AHy = A.H(y)
        solve = shifted_inverse(A, 1 / self.lam, self.cg_iterations)
        for f in self.f:
            z = x + f(x)
            x = solve(AHy + z / self.lam, z)
        return x

    def loss(self, sample):
        return l1(self(sample.kspace, sample.A), sample.image)


def claim_the_networks_of_the_paper_have_565770_parameters_every_cascade_its_own(model, sample):
    size = [sum(p.numel() for p in DCCNN(cascades=n).parameters()) - 1 for n in (1, 5)]  # without lam
    assert size[1] == 565_770 == 5 * size[0]


def claim_with_one_coil_acquired_samples_are_kept(model, sample):
    (A, y), _ = _one_coil(sample), model.lam.data.fill_(1e6)
    assert (A(model(y, A)) - y).abs().max() < 1e-4 * y.abs().max()


def claim_lam_weighs_acquired_samples_and_missing_ones_come_from_the_network(model, sample):
    (A, y), model.f, model.lam.data = _one_coil(sample), nn.ModuleList([nn.Identity()]), torch.tensor(3.0)
    proposed = (everywhere := type(A)(1 + 0 * A.mask, A.maps))(2 * A.H(y))
    expected = torch.where(A.mask > 0, (proposed + 3 * y) / 4, proposed)
    assert (everywhere(model(y, A)) - expected).abs().max() < 1e-4


def claim_without_its_learned_part_it_is_iterated_regularised_sense(model, sample):
    A, x, model = sample.A, sample.A.H(sample.kspace), DCCNN(cascades=3, width=2, lam=3.0)  # f starts at zero
    for _ in model.f:
        x = cg(lambda v: A.N(v) + v / 3, A.H(sample.kspace) + x / 3, iterations=60)
    assert (model(sample.kspace, A) - x).abs().max() < 1e-5


def _one_coil(sample):
    return (A := type(sample.A)(sample.mask, sample.maps[:, :1] * 0 + 1)), A(sample.image)
