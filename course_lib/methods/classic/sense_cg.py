"""CG-SENSE (Pruessmann, Weiger, Bornert & Boesiger, Magn. Reson. Med. 2001, after SENSE, 1999).

min_x ||A x - y||^2 + lam ||x||^2

(A^H A + lam) x = A^H y      solved by conjugate gradients; stopping early regularises as lam does
"""

from ...ops.linear import LinearOperator
from ...shapes import Image, KSpace
from ...solve import cg
from ..base import Reconstructor, method


@method(
    "sense_cg",
    ref=1,
    section="1.1",
    learns="nothing",
    differs=("no noise decorrelation inside: whiten the data first", "lam = 0 is the paper's unregularised problem"),
    knob=("iterations", (3, 5, 7, 10, 14, 20, 30)),
)
class SenseCG(Reconstructor):
    def __init__(self, iterations: int = 10, lam: float = 0.0):
        super().__init__()
        self.iterations = iterations
        self.lam = lam

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        return cg(lambda x: A.N(x) + self.lam * x, A.H(y), iterations=self.iterations)


def claim_it_solves_the_normal_equations(model, sample):
    y, A = sample.kspace, sample.A
    x = SenseCG(iterations=200, lam=0.1)(y, A)
    residual = A.N(x) + 0.1 * x - A.H(y)
    assert residual.abs().max() < 1e-4 * A.H(y).abs().max()


def claim_with_all_samples_one_step_is_enough(model, sample):
    A = type(sample.A)(sample.mask * 0 + 1, sample.maps)
    seen = sample.image * sample.maps.abs().square().sum(1)  # where no coil is sensitive nothing can be seen
    x = SenseCG(iterations=1)(A(seen), A)
    assert (x - seen).abs().max() < 1e-4 * seen.abs().max()


def claim_more_iterations_fit_the_data_better(model, sample):
    y, A = sample.kspace, sample.A
    misfit = [(A(SenseCG(iterations=n)(y, A)) - y).abs().square().sum() for n in (1, 3, 10)]
    assert misfit[0] > misfit[1] > misfit[2]
