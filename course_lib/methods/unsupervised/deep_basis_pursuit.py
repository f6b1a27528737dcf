"""Deep Basis Pursuit (Tamir, Yu & Lustig, ISMRM and arXiv 1910.13110, 2019).

min_x ||x - D(x)||^2  subject to  ||A x - y|| <= epsilon       D: an auto-encoder; epsilon: the norm of the noise
r <- D(x)                                  the network proposes
x <- the image nearest to r in the ball    x = r + (A^H A + s)^-1 A^H (y - A r); s by the discrepancy principle

min_D ||A r - y||^2 / ||y||^2              of the last proposal: measurements only
"""

import torch

from ...blocks import AutoEncoder, OnComplex
from ...solve import cg, dot, into_ball, noise_norm
from ..base import Reconstructor, cartesian, method


@method(
    "deep_basis_pursuit",
    ref=74,
    section="3",
    learns="database",
    small=dict(iterations=4, width=16),
    differs=(
        "recalled: the auto-encoder's sizes, the iterations; epsilon is read in the data, the paper knows the noise",
        "the projection is solved in one Krylov space, not by ADMM; the gradient takes its multiplier as given",
        "the loss looks at the last proposal: behind an exact projection the misfit is epsilon, whatever D says",
    ),
)
class DeepBasisPursuit(Reconstructor):
    def __init__(self, iterations: int = 5, width: int = 64, depth: int = 1, times: float = 1.0):
        super().__init__()
        self.iterations, self.times = iterations, times  # epsilon is so many `times` the noise; 1 is right
        self.D = OnComplex(AutoEncoder(width, depth))

    def steps(self, y, A):  # the last proposal, and the image
        x, epsilon = A.H(y), self.times * noise_norm(y, cartesian(A).mask)
        for _ in range(self.iterations):
            r = self.D(x)
            x = into_ball(r, A, y, epsilon)
        return r, x

    def forward(self, y, A):
        return self.steps(y, A)[1]

    def loss(self, sample):
        e = sample.A(self.steps(sample.kspace, sample.A)[0]) - sample.kspace
        return (dot(e, e) / dot(sample.kspace, sample.kspace)).mean()


def claim_the_image_ends_in_the_ball_and_what_lies_in_it_is_not_moved(model, sample):
    y, A = _noisy(sample), sample.A
    proposed, found = (((A(x) - y).norm() / noise_norm(y, A.mask)).item() for x in model.steps(y, A))
    model.times, model.D.forward = 2.0, lambda x: sample.image
    assert proposed > 2 and abs(found - 1) < 0.01 and torch.equal(model.steps(y, A)[1], sample.image)


def claim_a_larger_ball_moves_a_proposal_less(model, sample):
    y, A, moved = _noisy(sample), sample.A, []
    for model.times in (0.5, 1.0, 2.0):
        moved.append((model.steps(y, A)[1] - model.steps(y, A)[0]).norm())
    assert moved[0] > 1.01 * moved[1] > 1.02 * moved[2]


def claim_all_iterations_share_one_network_and_none_sees_the_truth(model, sample):
    one, five = (len(list(DeepBasisPursuit(n, width=4).parameters())) for n in (1, 5))
    blind = type(sample)(sample.kspace, sample.mask, sample.maps, sample.image * torch.nan)
    assert one == five and model.loss(blind).isfinite()


def claim_without_its_learned_part_it_is_basis_pursuit_for_the_least_norm(model, sample):
    y, A, model.D.forward = _noisy(sample), sample.A, torch.zeros_like
    epsilon, least = noise_norm(y, A.mask), lambda s: cg(lambda x: A.N(x) + s * x, A.H(y), iterations=60)
    low, s, high = 1e-5, 1e-2, 10.0  # Tikhonov's lambda, at which the misfit is epsilon
    for _ in range(30):
        low, high = (s, high) if (A(least(s)) - y).norm() < epsilon else (low, s)
        s = (low * high) ** 0.5
    assert (model(y, A) - least(s)).norm() < 0.01 * least(s).norm()


_noisy = lambda sample: sample.kspace + 0.1 * sample.mask * torch.randn_like(sample.kspace)
