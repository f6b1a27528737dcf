"""The first CNN for MRI reconstruction, with compressed sensing after it (Wang et al., IEEE ISBI 2016).

min_f ||f(A^H y) - x||^2                      first: three convolutions f, trained with pairs of data and truth
min_x 1/2 ||A x - y||^2 + lam1 ||W x||_1 + lam2/2 ||x - r||^2      then, for each scan; W: orthonormal db4 wavelets

r <- f(A^H y)                                 the network's image: where the search starts, and its reference
v <- z - step (A^H (A z - y) + lam2 (z - r))  solved by FISTA, step = 1 / (1 + lam2)
x <- W^H soft(W v, step lam1)
"""

from collections.abc import Sequence

from torch import Tensor, nn

from ... import blocks, losses, ops, solve
from ...data.sample import Sample
from ...shapes import Image, KSpace
from ..base import Reconstructor, method


@method(
    "wang_cnn",
    ref=9,
    section="2.1",
    learns="database",
    small=dict(width=(32, 16)),
    differs=(
        "kernels 9-5-5 and widths 64, 32 are recalled (they are SRCNN's): the paper's text was not at hand",
        "so are the terms of the second problem; wavelets and FISTA for it are our choice",
        "real and imaginary part as two channels of the coil-combined image",
    ),
)
class WangCNN(Reconstructor):
    def __init__(self, width: Sequence[int] = (64, 32), lam1: float = 1e-3, lam2: float = 0.1, iterations: int = 30):
        super().__init__()
        self.lam1, self.lam2, self.iterations = lam1, lam2, iterations
        layers = nn.Conv2d(2, width[0], 9, padding=4), nn.ReLU(), nn.Conv2d(width[0], width[1], 5, padding=2)
        self.f = blocks.OnComplex(nn.Sequential(*layers, nn.ReLU(), nn.Conv2d(width[1], 2, 5, padding=2)))

    def forward(self, y: KSpace, A: ops.LinearOperator) -> Image:
        W, AHy = ops.Wavelet(), A.H(y)
        r = self.f(AHy)
        grad = lambda z: A.N(z) - AHy + self.lam2 * (z - r)
        prox = lambda v, step: W.H(solve.soft(W(v), step * self.lam1))
        return solve.fista(grad, prox, r, step=1 / (1 + self.lam2), iterations=self.iterations)

    def loss(self, sample: Sample) -> Tensor:
        return losses.mse(self.f(sample.A.H(sample.kspace)), sample.image)


def _objective(model, x, y, A):
    r = model.f(A.H(y))
    size = [part.abs() for part in (A(x) - y, ops.Wavelet()(x), x - r)]
    return 0.5 * size[0].square().sum() + model.lam1 * size[1].sum() + 0.5 * model.lam2 * size[2].square().sum()


def claim_the_three_layers_have_63266_parameters(model, sample):
    assert sum(p.numel() for p in WangCNN().parameters()) == 63_266


def claim_the_network_is_trained_alone(model, sample):
    r = model.f(sample.A.H(sample.kspace))
    assert (model.loss(sample) - (r - sample.image).abs().square().mean()).abs() < 1e-6


def claim_without_iterations_it_is_the_network(model, sample):
    y, A = sample.kspace, sample.A
    model.iterations = 0
    assert (model(y, A) - model.f(A.H(y))).abs().max() < 1e-6


def claim_no_small_change_lowers_its_objective(model, sample):
    y, A = sample.kspace, sample.A
    model.lam1, model.lam2, model.iterations = 0.05, 1.0, 100
    x, r = model(y, A), model.f(A.H(y))
    least = _objective(model, x, y, A)
    for change in (sample.image - x, -x, A.H(y - A(x)), r - x):
        assert all(_objective(model, x + s * change, y, A) > least * (1 - 1e-5) for s in (1e-2, -1e-2))
