"""GRAPPA (Griswold et al., Magn. Reson. Med. 2002).

min_w ||S w - T||^2 + lam ||w||^2      on the calibration lines; S: neighbours of all coils, T: lines between them

k <- y where acquired, else S w        the same weights wherever lines are missing
x <- sum conj(maps) F^H k              the coils are combined
"""

from ...ops.linear import LinearOperator
from ...ops.sense import Coils, Fourier
from ...sampling import uniform
from ...shapes import Image, KSpace
from ...solve.grappa import calibrate, fill, grappa
from ..base import Reconstructor, cartesian, combine, method


@method(
    "grappa",
    ref=2,
    section="1.1",
    learns="nothing",
    differs=(
        "weights are regularised by lam",
        "calibration lines are kept; the paper's sliding blocks are one kernel that looks to both sides",
        "coils are combined with maps instead of a sum of squares, so that the image has a phase",
    ),
    sampling=lambda width, seed: uniform(width, 2, 12, offset=1),
    knob=("lam", tuple(10 ** (-5 + i / 2) for i in range(9))),
)
class GRAPPA(Reconstructor):
    def __init__(self, kernel: tuple[int, int] = (5, 4), lam: float = 1e-3):
        super().__init__()
        self.kernel, self.lam = kernel, lam

    def kspace(self, y: KSpace, A: LinearOperator) -> KSpace:
        return grappa(y, cartesian(A).mask, self.kernel, self.lam)

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        return combine(self.kspace(y, A), A)


def claim_acquired_samples_stay(model, sample):
    k = model.kspace(sample.kspace, sample.A)
    assert (k * sample.mask == sample.kspace).all() and ((k != 0).float().mean() == 1)


def claim_it_is_linear_once_its_weights_are_known(model, sample):
    y, mask = sample.kspace, sample.mask
    w, other = calibrate(y, mask), y.flip(1) * 1j
    k = fill(y + 2 * other, mask, w) - fill(y, mask, w) - 2 * fill(other, mask, w)
    assert k.abs().max() < 1e-4 * y.abs().max()


def claim_with_all_lines_it_returns_the_data(model, sample):
    A = type(sample.A)(1 + 0 * sample.mask, sample.maps)
    full = A(sample.image)
    assert (model.kspace(full, A) == full).all()


def claim_it_knows_no_maps(model, sample):
    other = type(sample.A)(sample.mask, sample.maps.flip(1))
    assert (model.kspace(sample.kspace, sample.A) == model.kspace(sample.kspace, other)).all()


def claim_smooth_coils_let_neighbours_predict_a_sample(model, sample):
    full, y = (Fourier() @ Coils(sample.maps))(sample.image), sample.kspace
    model.lam = 1e-5
    k = model.kspace(y, sample.A)
    assert (k - full).norm() < 0.2 * (y - full).norm()
