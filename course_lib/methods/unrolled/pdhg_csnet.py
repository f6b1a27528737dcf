"""PDHG-CSNet: a primal-dual algorithm with a learned prox (Cheng, Wang, Ying & Liang, MICCAI 2019).

min_x max_d  Re <A x - y, d> - 1/2 ||d||^2 + g(x)      = min_x 1/2 ||A x - y||^2 + g(x); g is never written down

d <- (d + sigma (A z - y)) / (1 + sigma)               dual step: the prox of the conjugate of the data term, exact
x <- P(x - tau A^H d)                                  primal step: P is a CNN in place of the prox of g
z <- x + theta (x - x before)                          extrapolation
"""

import torch
from torch import nn

from ...blocks import OnComplex, cnn
from ...losses import l1
from ...ops.linear import LinearOperator
from ...shapes import Image, KSpace
from ...solve import pdhg, safe_step, soft
from ..base import Reconstructor, method


@method(
    "pdhg_csnet",
    ref=67,
    section="2.5",
    learns="database",
    thin=True,
    small=dict(iterations=8, width=32),
    differs=(
        "many coils, and any A; the paper has one coil",
        "P adds to its input and its last convolution starts at zero: untrained it is PDHG without a penalty",
        "x starts at A^H y; sigma, tau and theta are learned, one of each for all iterations",
        "trained with the l1 loss; 10 iterations of 3 layers and 32 channels are recalled, not checked",
    ),
)
class PDHGCSNet(Reconstructor):
    def __init__(self, iterations: int = 10, width: int = 32, depth: int = 3):
        super().__init__()
        self.P = nn.ModuleList(OnComplex(cnn(width, depth)) for _ in range(iterations))
        self.sigma, self.tau, self.theta = (nn.Parameter(torch.tensor(1.0)) for _ in range(3))

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        x = z = A.H(y)
        d = torch.zeros_like(y)
        tau = self.tau * safe_step(A, x)
        for P in self.P:
            d = (d + self.sigma * (A(z) - y)) / (1 + self.sigma)
            v = x - tau * A.H(d)
            before, x = x, v + P(v)
            z = x + self.theta * (x - before)
        return x

    def loss(self, sample):
        return l1(self(sample.kspace, sample.A), sample.image)


def _parent(model, sample, prox):
    """What the algorithm of the library makes of the same data in as many iterations."""
    y, A, tau, sigma = sample.kspace, sample.A, model.tau.item(), model.sigma.item()
    return pdhg(A, lambda v, t: (v + t * y) / (1 + t), prox, A.H(y), tau, sigma, len(model.P))


def claim_without_its_learned_part_it_is_pdhg(model, sample):
    for change, prox in (lambda v: 0 * v, lambda v, t: v), (lambda v: soft(v, 0.02) - v, lambda v, t: soft(v, 0.02)):
        del model.P
        model.P, model.sigma.data, model.tau.data = [change] * 7, torch.tensor(0.7), torch.tensor(0.9)
        assert (model(sample.kspace, sample.A) - _parent(model, sample, prox)).abs().max() < 1e-5


def claim_untrained_it_comes_to_the_least_squares_solution(model, sample):
    x = PDHGCSNet(iterations=300, width=2, depth=2)(sample.kspace, sample.A)
    assert sample.A.H(sample.A(x) - sample.kspace).abs().max() < 1e-3


def claim_every_iteration_has_its_own_network(model, sample):
    size = [sum(p.numel() for p in PDHGCSNet(iterations=n, width=4).parameters()) - 3 for n in (1, 2, 4)]
    assert size[1] == 2 * size[0] and size[2] == 4 * size[0] and len({id(P) for P in model.P}) == len(model.P)
