"""PD-Net: learned primal-dual (Adler & Oektem 2018; Cheng, Wang, Ying & Liang 2019; Ramzi, Ciuciu & Starck 2020).

min_x max_d  Re <A x, d> - F*(d, y) + G(x)      neither F nor G is written down, nor how a step is made

d <- d + dual([d, A x_2, y])                    d: memory, some k-spaces of each coil; the CNN sees coil by coil
x <- x + primal([x, S^H F^H d_1])               x: memory, some images; new CNNs in every iteration
"""

import torch
from torch import nn

from ...blocks import CoilByCoil, OnComplexChannels, cnn, real_matrix, start_as
from ...losses import l1
from ...ops import Coils, Fourier
from ...solve import pdhg
from ..base import Reconstructor, cartesian, method


@method(
    "pd_net",
    ref=67,
    section="2.5",
    learns="database",
    mixes_rows=True,
    small=dict(iterations=6, width=16, memory=3),
    differs=(
        "many coils: one dual CNN for all of them, coil by coil; the papers have no coils or one",
        "what the dual CNN writes where nothing was acquired reaches the image; the papers' A^H masks it",
        "x starts as A^H y in all of its memory, not at 0; the CNNs start as the steps of PDHG, not at random",
        "sizes and loss as in Ramzi's code: 3 layers of 3x3, ReLU, mean absolute error",
    ),
)
class PDNet(Reconstructor):
    def __init__(self, iterations: int = 10, width: int = 32, depth: int = 3, memory: int = 5):
        super().__init__()
        self.memory, self.dual, self.primal = memory, nn.ModuleList(), nn.ModuleList()
        d, x = (torch.zeros(memory, memory + more, dtype=torch.complex64) for more in (2, 1))
        d[0, [0, -2, -1]] = torch.tensor([-0.5, 0.5, -0.5]) + 0j  # what a step of PDHG adds to d_1,
        x[:2, [0, 1, -1]] = torch.tensor([[0, 0, -1.0], [1, -1, -2]]) + 0j  # to x_1, and to x_2, its extrapolation
        for _ in range(iterations):
            nets = (start_as(cnn(width, depth, 2 * m.shape[1], outside=2 * memory), real_matrix(m)) for m in (d, x))
            dual, primal = map(OnComplexChannels, nets)
            self.dual.append(CoilByCoil(dual))
            self.primal.append(primal)

    def forward(self, y, A):
        FS = Fourier() @ Coils(cartesian(A).maps)
        x = torch.stack([A.H(y)] * self.memory, 1)
        d = torch.stack([0 * y] * self.memory, 2)
        for dual, primal in zip(self.dual, self.primal):
            d = d + dual(torch.cat([d, A(x[:, 1])[:, :, None], y[:, :, None]], 2))
            x = x + primal(torch.cat([x, FS.H(d[:, :, 0])[:, None]], 1))
        return x[:, 0]

    def loss(self, sample):
        return l1(self(sample.kspace, sample.A), sample.image)


def claim_its_networks_have_the_318280_weights_and_biases_of_ramzi_2020(model, sample):
    size = [sum(p.numel() for p in PDNet(iterations=n).parameters()) for n in (1, 10)]
    assert size[1] == 318_280 == 10 * size[0]  # each iteration has its own


def claim_without_its_learned_part_it_is_pdhg(model, sample):
    """Its CNNs hold the steps of PDHG until they learn."""
    y, A = sample.kspace, sample.A
    x = pdhg(A, lambda v, t: (v + t * y) / (1 + t), lambda v, t: v, A.H(y), 1, 1, 10)
    assert (PDNet()(y, A) - x).abs().max() < 1e-5


def claim_what_the_dual_network_writes_where_nothing_was_acquired_reaches_the_image(model, sample):
    before = model(sample.kspace, sample.A)
    model.dual[-1].register_forward_hook(lambda module, given, d: d + (1 - sample.mask[:, :, None]))
    assert (model(sample.kspace, sample.A) - before).abs().max() > 1e-2


def claim_the_order_of_the_coils_does_not_matter(model, sample):
    A = type(sample.A)(sample.mask, sample.maps.flip(1))
    assert (model(sample.kspace.flip(1), A) - model(sample.kspace, sample.A)).abs().max() < 1e-5
