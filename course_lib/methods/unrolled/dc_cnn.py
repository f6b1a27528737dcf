"""DC-CNN: a deep cascade of CNNs (Schlemper, Caballero, Hajnal, Price & Rueckert, IEEE Trans. Med. Imaging 2018).

    min_x lam ||A x - y||^2 + ||x - f(x)||^2      f is a CNN that removes aliasing

    z <- x + f(x)                                 de-alias; another f in every cascade
    x <- z + lam/(1 + lam) (A^H y - A^H A z)      acquired samples k become (k + lam y)/(1 + lam)
"""

from torch import nn

from ...blocks import OnComplex, cnn
from ...ops.linear import LinearOperator
from ...shapes import Image, KSpace
from ..base import Reconstructor, method


@method(
    "dc_cnn",
    ref=50,
    section="2.5",
    learns="database",
    small=dict(cascades=5, width=16, depth=4),
    differs=(
        "many coils: each coil's samples are corrected, then the coils are combined; with one coil it is the paper",
        "the last convolution of each CNN starts at zero, so training starts at the data-consistent image",
    ),
)
class DCCNN(Reconstructor):
    def __init__(self, cascades: int = 5, width: int = 64, depth: int = 5, lam: float = 1e6):
        super().__init__()
        self.f = nn.ModuleList(OnComplex(cnn(width=width, depth=depth)) for _ in range(cascades))
        self.lam = lam  # data without noise: infinity

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        x = AHy = A.H(y)
        for f in self.f:
            z = x + f(x)
            x = z + self.lam / (1 + self.lam) * (AHy - A.N(z))
        return x


def claim_the_paper_size_has_565770_parameters(model, sample):
    assert sum(p.numel() for p in DCCNN().parameters()) == 565_770


def claim_every_cascade_has_its_own_network(model, sample):
    size = [sum(p.numel() for p in DCCNN(cascades=n, width=4).parameters()) for n in (1, 2, 4)]
    assert size[1] == 2 * size[0] and size[2] == 4 * size[0]
    assert len({id(f) for f in model.f}) == len(model.f)


def claim_with_one_coil_acquired_samples_are_kept(model, sample):
    A, y = _one_coil(sample)
    for f in model.f:
        nn.init.normal_(f.net[-1].weight, std=0.1)
    assert (A(model(y, A)) - y).abs().max() < 1e-4 * y.abs().max()


def claim_lam_weighs_the_data_against_the_network(model, sample):
    A, y = _one_coil(sample)
    model.f, model.lam = nn.ModuleList([_Shift()]), 3.0
    before = A(A.H(y) + 1)
    assert (A(model(y, A)) - (before + 3 * y) / 4).abs().max() < 1e-4 * y.abs().max()


def claim_missing_samples_come_from_the_network(model, sample):
    A, y = _one_coil(sample)
    model.f = nn.ModuleList([_Shift()])
    everywhere = type(A)(1 + 0 * A.mask, A.maps)
    filled = (1 - A.mask) * everywhere(model(y, A))
    assert (filled - (1 - A.mask) * everywhere(A.H(y) + 1)).abs().max() < 1e-4


class _Shift(nn.Module):
    """A network that adds one to every pixel."""

    def forward(self, x: Image) -> Image:
        return x * 0 + 1


def _one_coil(sample):
    A = type(sample.A)(sample.mask, sample.maps[:, :1] * 0 + 1)
    return A, A(sample.image)
