"""ADMM-Net: alternating directions with learned filters and functions (Yang, Sun, Li & Xu, NeurIPS 2016).

min_x 1/2 ||A x - y||^2 + sum_l g_l(D_l x)       D_l: 3 x 3 filters of mean 0 where total variation has differences
x <- (A^H A + sum_l rho_l H_l^T H_l)^-1 (A^H y + sum_l rho_l H_l^T (z_l - u_l))
z_l <- S_l(D_l x + u_l)                          S_l: piecewise linear, in the place of the prox of g_l
u_l <- u_l + eta_l (D_l x - z_l)                 multipliers; own H, rho, D, S and eta in every stage
"""

from typing import Any

import torch
from torch import nn

from ...blocks import CosineFilters, Filters, PiecewiseLinear, cosines
from ...ops import Stack
from ...solve import admm, cg, least_squares, soft
from ..base import Reconstructor, method


class Stage(nn.Module):  # 952 numbers: H and D of 8 x 8, S of 8 x 101, rho and eta of 8
    def __init__(self, filters: int, last: bool):
        super().__init__()
        self.H, self.rho = CosineFilters(filters), nn.Parameter(torch.full((filters,), 0.2))
        if not last:
            self.D, self.S = CosineFilters(filters), PiecewiseLinear(filters)
            self.eta = nn.Parameter(torch.ones(filters))


@method(
    "admm_net",
    ref=62,
    section="2.5",
    learns="database",
    thin=True,
    small=dict(stages=4, cg_iterations=6),
    differs=(
        "many coils and zeros around the image: conjugate gradients where the paper divides in k-space",
        "eta starts at 1, not 1.6; trained with Muon on the squared error, not L-BFGS on its root",
    ),
)
class ADMMNet(Reconstructor):
    def __init__(self, stages: int = 15, filters: int = 8, cg_iterations: int = 10):
        super().__init__()
        self.cg_iterations = cg_iterations
        self.stages: Any = nn.ModuleList(Stage(filters, last=i == stages) for i in range(stages + 1))

    def forward(self, y, A):
        x = AHy = A.H(y)
        z = u = 0 * self.stages[0].H()(x)
        for stage in self.stages:
            root = stage.rho.abs().sqrt()[:, None, None]
            H = stage.H(root)
            x = least_squares(Stack((A, H), ()), AHy + H.H(root * (z - u)), x, self.cg_iterations)
            if stage is not self.stages[-1]:
                Dx = stage.D()(x)
                z = stage.S(Dx + u)
                u = u + stage.eta[:, None, None] * (Dx - z)
        return x


def claim_own_weights_in_every_stage_as_many_as_the_released_code_has(model, sample):
    assert [sum(p.numel() for p in ADMMNet(n).parameters()) for n in (1, 15)] == [952 + 72, 15 * 952 + 72]


def claim_missing_samples_are_found_by_the_filters_alone(model, sample):
    A, model = type(sample.A)(sample.mask, torch.ones_like(sample.maps[:, :1])), ADMMNet(stages=0, cg_iterations=200)
    assert type(A)(1 - A.mask, A.maps)(model.stages[0].H().N(model(A(sample.image), A))).abs().max() < 1e-4


def claim_without_its_learned_part_it_is_admm_for_total_variation(model, sample):
    y, A, K, model = sample.kspace, sample.A, Filters(torch.zeros(2, 3, 3)), ADMMNet(3, filters=2, cg_iterations=100)
    K.kernels[:, 1, 1], K.kernels[0, 2, 1], K.kernels[1, 1, 2] = -1, 1, 1  # differences to the next row and column
    for part in model.modules():
        if isinstance(part, CosineFilters):
            part.weights.data = torch.einsum("fij,pij->fp", K.kernels, cosines(K.kernels))
        if isinstance(part, PiecewiseLinear):
            part.values.data[:] = soft(torch.linspace(-1, 1, 101), 0.04)
    solve = lambda v, x: cg(lambda x: A.N(x) + 0.2 * K.N(x), A.H(y) + 0.2 * K.H(v), x, 100)
    prox = lambda v, step: torch.complex(soft(v.real, 0.008 * step), soft(v.imag, 0.008 * step))
    assert (model(y, A) - admm(K, solve, prox, 0 * sample.image, 0.2, iterations=4)).abs().max() < 1e-5
