"""VarNet: a variational network (Hammernik, Klatzer, Kobler et al., Magn. Reson. Med. 2018).

min_x lam/2 ||A x - y||^2 + sum_i rho_i(D_i x)      filters D_i; rho_i is known only by its derivative phi_i

x <- x - lam A^H (A x - y) - sum_i D_i^T phi_i(D_i x)      gradient descent; every step has its own lam, D_i, phi_i
"""

import torch
from torch import nn

from ...blocks import Filters, RadialBasis
from ...ops.linear import LinearOperator
from ...shapes import Image, KSpace
from ...solve import dot, ista, safe_step
from ..base import Reconstructor, method


@method(
    "varnet",
    ref=55,
    section="2.5",
    learns="database",
    small=dict(iterations=6, filters=16, kernel=5),
    differs=(
        "each D_i is centred and scaled as it is used; the paper projects it after each training step",
        "the sum over i is a mean, images have a maximum near 1 and bells reach from -1 to 1, as in the authors' code",
        "edges go round; the authors mirror them",
    ),
)
class VarNet(Reconstructor):
    def __init__(
        self, iterations: int = 10, filters: int = 48, kernel: int = 11, bells: int = 31, reach=1.0, lam: float = 1.0
    ):
        super().__init__()
        self.D = nn.ModuleList(Filters(filters, kernel, clean=True) for _ in range(iterations))
        self.phi = nn.ModuleList(RadialBasis(filters, bells, reach) for _ in range(iterations))
        self.lam = nn.Parameter(torch.full((iterations,), lam))

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        x = AHy = A.H(y)
        steps = self.lam[:, None, None, None] * safe_step(A, x)
        for D, phi, step in zip(self.D, self.phi, steps):
            x = x - step * (A.N(x) - AHy) - self.R(D, phi, x)
        return x

    def R(self, D, phi, x: Image) -> Image:
        return D.adjoint(phi(D(x))) / len(phi.weight)

    def loss(self, sample):
        """The squared error of magnitudes."""
        return (self(sample.kspace, sample.A).abs() - sample.image.abs()).square().mean()


def claim_the_network_of_the_paper_has_131050_parameters(model, sample):
    size = [sum(p.numel() for p in VarNet(iterations=n).parameters()) for n in (1, 10)]
    assert size[1] == 131_050 == 10 * size[0]  # every step has its own


def claim_without_its_learned_part_it_is_gradient_descent(model, sample):
    A, AHy = sample.A, sample.A.H(sample.kspace)
    model.lam.data.fill_(0.7)
    for phi in model.phi:
        phi.weight.data.zero_()
    x = ista(lambda x: A.N(x) - AHy, lambda v, step: v, AHy, 0.7, iterations=len(model.phi))
    assert (model(sample.kspace, A) - x).abs().max() < 1e-5


def claim_the_regulariser_is_the_gradient_of_an_energy(model, sample):
    """Its Jacobian is symmetric: <u, J v> = <J u, v>, which fails if D^T is not the adjoint of D."""
    D, phi, x = model.D[0], model.phi[0], sample.image
    phi.weight.data.normal_(generator=torch.Generator().manual_seed(0))
    u, v = x.roll(3, -1), 1j * x.flip(-2)
    J = lambda w: (model.R(D, phi, x + 1e-2 * w) - model.R(D, phi, x - 1e-2 * w)) / 2e-2
    assert (dot(u, J(v)) - dot(J(u), v)).abs() < 1e-3 * dot(u, J(v)).abs()


def claim_the_regulariser_does_not_see_a_constant(model, sample):
    R = lambda x: model.R(model.D[0], model.phi[0], x)
    assert (R(sample.image + 0.5 - 0.2j) - R(sample.image)).abs().max() < 1e-5 < R(sample.image).abs().max()
