"""SPIRiT (Lustig & Pauly, Magn. Reson. Med. 2010).

min_k ||(G - I) k||^2  with  M k = y      G predicts each sample from its neighbours in all coils, never from itself

k <- y + (1 - M) k                        acquired samples stay, conjugate gradients find the others
x <- sum conj(maps) F^H k                 the coils are combined
"""

from ...ops.linear import LinearOperator
from ...ops.sense import Coils, Fourier
from ...shapes import Image, KSpace
from ...solve.spirit import calibrate, predict, spirit
from ..base import Reconstructor, cartesian, combine, method


@method(
    "spirit",
    ref=30,
    section="2.2",
    learns="nothing",
    small=dict(kernel=(3, 3)),
    differs=(
        "Cartesian samples only",
        "data consistency is exact (the paper offers both): no weight to choose, few iterations keep noise down",
        "coils are combined with maps instead of a sum of squares, so that the image has a phase",
    ),
    knob=("iterations", (5, 10, 15, 20, 30, 45)),
)
class SPIRiT(Reconstructor):
    def __init__(self, kernel: tuple[int, int] = (5, 5), lam: float = 1e-3, iterations: int = 30):
        super().__init__()
        self.kernel, self.lam, self.iterations = kernel, lam, iterations

    def kspace(self, y: KSpace, A: LinearOperator) -> KSpace:
        return spirit(y, cartesian(A).mask, self.kernel, self.lam, self.iterations)

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        return combine(self.kspace(y, A), A)


def claim_acquired_samples_stay(model, sample):
    k = model.kspace(sample.kspace, sample.A)
    assert (k * sample.mask == sample.kspace).all() and (k != 0).all()


def claim_no_sample_predicts_itself(model, sample):
    w = calibrate(sample.kspace, sample.mask, (3, 3))
    k = 0 * sample.kspace
    k[:, 1, 16, 16] = 1
    assert predict(k, w)[:, 1, 16, 16].abs().max() < 1e-6 < 1e-2 < predict(k, w)[:, 0, 16, 16].abs().min()


def claim_a_full_scan_is_nearly_a_fixed_point_of_its_kernel(model, sample):
    full = (Fourier() @ Coils(sample.maps))(sample.image)
    w = calibrate(full, 1 + 0 * sample.mask, (5, 5), lam=1e-5)
    assert (predict(full, w) - full).norm() < 0.02 * full.norm()


def claim_more_iterations_agree_better_with_the_neighbours(model, sample):
    y, off = sample.kspace, []
    w = calibrate(y, sample.mask, model.kernel)
    for model.iterations in (0, 3, 30):
        k = model.kspace(y, sample.A)
        off.append((predict(k, w) - k).norm())
    assert off[0] > 1.5 * off[1] > 1.5 * off[2]
