"""ADMM-Net: deep ADMM-Net for compressive sensing MRI (Yang, Sun, Li & Xu, NeurIPS 2016; IEEE Trans. PAMI 2020).

min_x 1/2 ||A x - y||^2 + sum_i lam_i R(D_i x)      D_i are filters; R is known only by its prox S

z <- S(D x + u)                               a piecewise linear function for each filter
u <- u + eta (D x - z)                        the multiplier
x <- (A^H A + D^T rho D)^-1 (A^H y + D^T rho (z - u))      conjugate gradients; every stage has its own D, S, eta, rho
"""

from typing import Any

import torch
from torch import nn

from ...blocks import Filters, PiecewiseLinear
from ...losses import relative
from ...solve import admm, cg, soft
from ..base import Reconstructor, method


class Stage(nn.Module):
    def __init__(self, kernel: int, points: int, rho: float, t: float):
        super().__init__()
        count = 2 * (kernel * kernel - 1)
        self.D, self.S = Filters(count, kernel, cosines=True), PiecewiseLinear(count, points, t=t)
        self.log_rho, self.eta = nn.Parameter(torch.full((count,), rho).log()), nn.Parameter(torch.ones(count))

    def solve(self, x, A, AHy, v, iterations: int):
        rho, D = self.log_rho.exp()[:, None, None], self.D
        return cg(lambda x: A.N(x) + D.adjoint(rho * D(x)), AHy + D.adjoint(rho * v), x, iterations)


@method(
    "admm_net",
    ref=62,
    section="2.5",
    learns="database",
    small=dict(stages=4, cg_iterations=4),
    differs=(
        "many coils: x by conjugate gradients; with one coil all is diagonal in k-space and the paper solves exactly",
        "complex images: each filter sees real and imaginary part; at first half of them see one, half the other",
        "one set of filters a stage, in the x-update and before the prox; the paper learns two",
    ),
)
class ADMMNet(Reconstructor):
    def __init__(self, stages: int = 15, kernel: int = 3, points: int = 101, rho=0.1, t=0.02, cg_iterations: int = 10):
        super().__init__()
        self.cg_iterations = cg_iterations
        self.stages: Any = nn.ModuleList(Stage(kernel, points, rho, t) for _ in range(stages))

    def forward(self, y, A):
        x = AHy = A.H(y)
        u, x = 0, self.stages[0].solve(x, A, AHy, self.stages[0].D(x), self.cg_iterations)
        for stage in self.stages:
            z = stage.S((Dx := stage.D(x)) + u)
            u = u + stage.eta[:, None, None] * (Dx - z)
            x = stage.solve(x, A, AHy, z - u, self.cg_iterations)
        return x

    def loss(self, sample):
        return relative(self(sample.kspace, sample.A), sample.image)


def claim_without_its_learned_part_it_is_admm(model, sample):
    A, AHy, n = sample.A, sample.A.H(sample.kspace), model.cg_iterations
    K = lambda x: torch.stack([x.roll(-1, -2) - x, x.roll(-1, -1) - x], 1)  # to the next row and column
    KH = lambda v: v[:, 0].roll(1, -2) - v[:, 0] + v[:, 1].roll(1, -1) - v[:, 1]
    solve = lambda v, x: cg(lambda x: A.N(x) + 0.3 * KH(K(x)), AHy + 0.3 * KH(v), x, n)
    prox = lambda v, step: torch.complex(soft(v.real, 0.04), soft(v.imag, 0.04))
    model.stages = nn.ModuleList(stages := [Stage(3, 101, rho=0.3, t=0.04) for _ in range(3)])
    for stage in stages:
        (w := stage.D.weight.data.zero_())[[0, 1, 2, 3], [0, 1, 0, 1], 1, 1] = -1
        w[[0, 1], [0, 1], 2, 1] = w[[2, 3], [0, 1], 1, 2] = 1
    assert (model(sample.kspace, A) - admm(K, solve, prox, AHy, 0.3, iterations=4)).abs().max() < 1e-5


def claim_every_stage_has_1936_parameters_of_its_own(model, sample):
    assert [sum(p.numel() for p in ADMMNet(stages=n).parameters()) for n in (1, 15)] == [1936, 15 * 1936]
