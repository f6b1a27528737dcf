"""DC-CNN: a deep cascade of CNNs (Schlemper, Caballero, Hajnal, Price & Rueckert, IEEE Trans. Med. Imaging 2018).

min_x lam ||A x - y||^2 + ||x - f(x)||^2      f is a CNN that removes aliasing
z <- x + f(x)                                 de-alias; another f in every cascade
x <- (A^H A + 1/lam)^-1 (A^H y + z/lam)       data consistency: acquired samples k become (k + lam y)/(1 + lam)
"""

import torch
from torch import nn

from ...blocks import OnComplex, cnn
from ...losses import l1
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

    def forward(self, y, A):
        x = AHy = A.H(y)
        solve = shifted_inverse(A, 1 / self.lam, self.cg_iterations)
        for f in self.f:
            z = x + f(x)
            x = solve(AHy + z / self.lam, z)
        return x

    def loss(self, sample):
        return l1(self(sample.kspace, sample.A), sample.image)


def claim_every_cascade_has_its_own_network_those_of_the_paper_565770_parameters(model, sample):
    counts = [sum(p.numel() for p in DCCNN(cascades=n).parameters()) for n in (5, 1)]
    assert counts == [565_770 + 1, 565_770 / 5 + 1]  # and lam


def claim_with_one_coil_acquired_samples_are_kept(model, sample):
    (A, y), model.lam.data = _one_coil(sample), torch.tensor(1e6)
    assert (A(model(y, A)) - y).abs().max() < 1e-4 * y.abs().max()


def claim_lam_weighs_acquired_samples_and_missing_ones_come_from_the_network(model, sample):
    A, y = _one_coil(sample)
    model.f, model.lam.data = nn.ModuleList([nn.Identity()]), torch.tensor(3.0)
    everywhere = type(A)(1 + 0 * A.mask, A.maps)
    proposed = everywhere(2 * A.H(y))
    expected = (1 - A.mask) * proposed + A.mask * (proposed + 3 * y) / 4
    assert (everywhere(model(y, A)) - expected).abs().max() < 1e-4


def claim_without_its_learned_part_it_is_the_proximal_point_algorithm(model, sample):
    A, y = type(sample.A)(sample.mask.double(), sample.maps.to(torch.complex128)), sample.kspace.to(torch.complex128)
    x, AHy, model = A.H(y), A.H(y), model.double()
    for f in model.f:  # without f every cascade is regularised SENSE around the image before
        f.forward, x = torch.zeros_like, cg(lambda v: A.N(v) + v / model.lam, AHy + x / model.lam, x, 60)
    assert (model(y, A) - x).abs().max() < 1e-5


def _one_coil(sample):
    A = type(sample.A)(sample.mask, sample.maps[:, :1] * 0 + 1)
    return A, A(sample.image)
