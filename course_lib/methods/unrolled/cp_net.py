"""CP-Net: Chambolle & Pock's algorithm with both prox learned (Cheng, Wang, Ying & Liang, MICCAI 2019).

min_x max_d  Re <A x, d> - F*(d, y) + g(x)             neither F, in place of 1/2 ||A x - y||^2, nor g is written down

d <- (v - sigma y) / (1 + sigma) + dual([v, y])        v = d + sigma A z; the CNN corrects the exact step, coil by coil
x <- v + primal(v)                                     v = x - tau S^H F^H d; a CNN in place of the prox of g
z <- x + theta (x - x before)                          extrapolation
"""

import torch
from torch import nn

from ...blocks import CoilByCoil, OnComplex, OnComplexChannels, cnn
from ...losses import l1
from ...ops import Coils, Fourier
from ...solve import pdhg, soft
from ..base import Reconstructor, cartesian, method


@method(
    "cp_net",
    ref=67,
    section="2.5",
    learns="database",
    mixes_rows=True,
    small=dict(iterations=6, width=16),
    differs=(
        "many coils: one dual CNN for all of them, coil by coil; the paper has one coil",
        "what the dual CNN writes where nothing was acquired reaches the image",
        "both CNNs add to the step with the exact prox of the data term, and start at zero: untrained it is PDHG",
        "trained with the l1 loss; 10 iterations of 3 layers and 32 channels are recalled, not checked",
    ),
)
class CPNet(Reconstructor):
    def __init__(self, iterations: int = 10, width: int = 32, depth: int = 3):
        super().__init__()
        dual = (cnn(width, depth, channels=4, outside=2) for _ in range(iterations))
        self.dual = nn.ModuleList(CoilByCoil(OnComplexChannels(net)) for net in dual)
        self.primal = nn.ModuleList(OnComplex(cnn(width, depth)) for _ in range(iterations))
        self.sigma, self.tau, self.theta = (nn.Parameter(torch.tensor(1.0)) for _ in range(3))

    def forward(self, y, A):
        FS = Fourier() @ Coils(cartesian(A).maps)
        x = z = A.H(y)
        d = 0 * y
        for dual, primal in zip(self.dual, self.primal):
            v = d + self.sigma * A(z)
            d = (v - self.sigma * y) / (1 + self.sigma) + dual(torch.stack([v, y], 2))[:, :, 0]
            v = x - self.tau * FS.H(d)
            before, x = x, v + primal(v)
            z = x + self.theta * (x - before)
        return x

    def loss(self, sample):
        return l1(self(sample.kspace, sample.A), sample.image)


def claim_without_its_learned_part_it_is_pdhg(model, sample):
    y, A, tau, sigma = sample.kspace, sample.A, 0.9, 0.7
    model.tau.data, model.sigma.data = torch.tensor(tau), torch.tensor(sigma)
    del model.dual, model.primal
    model.dual, model.primal = [lambda v: 0 * v[:, :, :1]] * 7, [lambda v: soft(v, 0.02) - v] * 7
    x = pdhg(A, lambda v, t: (v + t * y) / (1 + t), lambda v, t: soft(v, 0.02), A.H(y), tau, sigma, 7)
    assert (model(y, A) - x).abs().max() < 1e-5


def claim_what_the_dual_network_writes_where_nothing_was_acquired_reaches_the_image(model, sample):
    before = model(sample.kspace, sample.A)
    model.dual[-1].register_forward_hook(lambda module, given, d: d + (1 - sample.mask[:, :, None]))
    assert (model(sample.kspace, sample.A) - before).abs().max() > 1e-2


def claim_data_consistency_is_learned(model, sample):
    """Its dual step may leave the exact one: another dual network gives another image for the same primal ones."""
    x = model(sample.kspace, sample.A)
    for dual in model.dual:
        dual.forward = lambda v: 0 * v[:, :, :1]
    assert (model(sample.kspace, sample.A) - x).abs().max() > 1e-4
