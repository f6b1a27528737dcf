"""CRNN-MRI: convolutions that recur over time and iterations (Qin, Schlemper et al., IEEE Trans. Med. Imaging 2019).

min_x lam ||A x - y||^2 + ||x - z||^2         z: what a network makes of the film x and of what it remembers

z <- x + f(x, states)                         f recurs over time, both ways, and over iterations: `blocks.Recurrent`
x <- (A^H A + 1/lam)^-1 (A^H y + z/lam)       data consistency, in every frame with its own lines
"""

import torch

from ...blocks import Recurrent, as_complex, as_real
from ...solve import cg, shifted_inverse
from ..base import Reconstructor, filmed, method


@method(
    "crnn",
    ref=61,
    section="2.5",
    learns="database",
    small=dict(iterations=3, width=16),
    extra=(6,),
    differs=(
        "layers and 5 iterations are those of the released code; many coils, lam and its start are as in dc_cnn",
        "the last convolution starts at zero, so training starts at the regularised SENSE film",
    ),
)
class CRNN(Reconstructor):
    def __init__(self, iterations: int = 5, width: int = 64, lam: float = 20.0, cg_iterations: int = 10):
        super().__init__()
        self.iterations, self.cg_iterations = iterations, cg_iterations
        self.f, self.lam = Recurrent(width), torch.nn.Parameter(torch.tensor(lam))

    def forward(self, y, A):
        x, states = filmed(A.H(y)), None
        AHy, solve = x, shifted_inverse(A, 1 / self.lam, self.cg_iterations)
        for _ in range(self.iterations):
            correction, states = self.f(as_real(x).movedim(2, 0), states)
            z = x + as_complex(correction.movedim(0, 2))
            x = solve(AHy + z / self.lam, z)
        return x


def claim_the_released_network_has_297794_parameters_in_any_number_of_iterations(model, sample):
    assert [sum(p.numel() for p in CRNN(n).parameters()) for n in (1, 5, 10)] == 3 * [297_794 + 1]  # and lam


def claim_hidden_states_run_both_ways_in_time(model, sample):
    y, A, model.iterations = sample.kspace, sample.A, 1
    for changed, seen in ((0, -1), (-1, 0)):
        factors = 1 + 99 * torch.eye(y.shape[2])[changed, :, None, None]
        assert (model(factors * y, A) - model(y, A))[:, seen].abs().max() > 1e-5


def claim_a_film_run_backwards_gives_the_film_run_backwards(model, sample):
    y, A = sample.kspace, sample.A
    assert (model(y.flip(2), type(A)(A.mask.flip(2), A.maps)) - model(y, A).flip(1)).abs().max() < 1e-5


def claim_every_layer_remembers_the_iteration_before(model, sample):
    for V in model.f.V:
        for model.iterations in (1, 2):
            x = model(sample.kspace, sample.A)
            V.weight.data.neg_()  # the second time as it was
            change = (model(sample.kspace, sample.A) - x).abs().max()
            assert change > 1e-5 if model.iterations == 2 else change == 0


def claim_with_one_coil_acquired_samples_are_kept(model, sample):
    A, model.lam.data = type(sample.A)(sample.mask, sample.maps[:, :1] * 0 + 1), torch.tensor(1e6)
    y = A(sample.image)
    assert (A(model(y, A)) - y).abs().max() < 1e-4 * y.abs().max()


def claim_without_its_learned_part_it_is_iterated_tikhonov(model, sample):
    y, A, x = sample.kspace, sample.A, sample.A.H(sample.kspace)
    model.f.forward, model.lam.data = (lambda x, states: (0 * x, states)), torch.tensor(3.0)
    for _ in range(model.iterations):
        x = cg(lambda v: A.N(v) + v / 3, A.H(y) + x / 3, iterations=60)
    assert (model(y, A) - x).norm() < 1e-5 * x.norm()
