"""Compressed sensing with total variation (Lustig, Donoho & Pauly, Magn. Reson. Med. 2007).

min_x 1/2 ||A x - y||^2 + lam sum |D x|       D x: differences to the next row and column of each pixel

v <- z - s A^H (A z - y)                      solved by FISTA (Beck & Teboulle, IEEE Trans. Image Process. 2009)
p <- P(p + D (v - D^H p) / 8)                 a few steps on the dual of the denoising problem; P: |p| <= s lam
x <- v - D^H p                                s = 1 / ||A||^2, which is 1 for Cartesian data
"""

from torch import Tensor

from ...ops.linear import LinearOperator
from ...ops.sparse import FiniteDifference
from ...shapes import Image, KSpace
from ...solve import safe_step
from ..base import Reconstructor, method


@method(
    "cs_tv",
    ref=3,
    section="1.1",
    learns="nothing",
    differs=("FISTA instead of non-linear conjugate gradients: it needs no smoothing of the modulus",),
    knob=("lam", tuple(10 ** (-4 + i / 4) for i in range(13))),
)
class CompressedSensingTV(Reconstructor):
    """D: any differences of squared norm 8 at most; `TimeDifference()` is total variation along time, as in GRASP."""

    def __init__(self, lam: float = 0.002, iterations: int = 80, inner: int = 5, D: LinearOperator | None = None):
        super().__init__()
        self.lam, self.iterations, self.inner, self.D = lam, iterations, inner, D or FiniteDifference()

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        D = self.D
        x = z = AHy = A.H(y)
        p, t, s = 0 * D(x), 1.0, safe_step(A, x)
        for _ in range(self.iterations):
            v = z - s * (A.N(z) - AHy)
            for _ in range(self.inner):
                p = _limited(p + D(v - D.H(p)) / 8, self.lam * s.unsqueeze(1))
            before, x = x, v - D.H(p)
            t_before, t = t, (1 + (1 + 4 * t * t) ** 0.5) / 2
            z = x + (t_before - 1) / t * (x - before)
        return x


def _limited(p: Tensor, limit: Tensor) -> Tensor:
    """P: differences down and right (axis 1) as one vector of length at most `limit`."""
    length = p.abs().square().sum(1, keepdim=True).sqrt()
    return p * (limit / length.clamp_min(1e-30)).clamp_max(1)


def _objective(x, y, A, lam):
    return 0.5 * (A(x) - y).abs().square().sum() + lam * FiniteDifference()(x).abs().square().sum(1).sqrt().sum()


def claim_no_small_change_lowers_its_objective(model, sample):
    y, A, lam = sample.kspace, sample.A, 0.01
    x = CompressedSensingTV(lam=lam, iterations=100)(y, A)
    least = _objective(x, y, A, lam)
    for change in (sample.image - x, -x, A.H(y - A(x)), x.roll(1, -1) - x):
        for step in (1e-2, -1e-2):
            assert _objective(x + step * change, y, A, lam) > least * (1 - 5e-5)


def claim_without_lam_it_is_a_least_squares_solution(model, sample):
    y, A = sample.kspace, sample.A
    x = CompressedSensingTV(lam=0.0, iterations=200)(y, A)
    assert (A.N(x) - A.H(y)).abs().max() < 1e-3


def claim_the_phase_of_the_image_does_not_matter(model, sample):
    y, A = sample.kspace, sample.A
    assert (model(1j * y, A) - 1j * model(y, A)).abs().max() < 1e-4


def claim_a_large_lam_leaves_a_flat_image(model, sample):
    variation = [_objective(CompressedSensingTV(lam)(sample.kspace, sample.A), 0, sample.A, 1) for lam in (0.001, 0.1)]
    assert variation[1] < variation[0]
