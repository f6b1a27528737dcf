"""E2E-VarNet: end-to-end variational network (Sriram, Zbontar, Murrell et al., MICCAI 2020), with known maps.

min_k 1/2 ||M k - y||^2 + R(k)        all of k-space, M the mask; maps S and F make it an image, S^H F^H k
k <- k - lam M (k - y) - F S u(x),  x = S^H F^H k      another U-Net u and another lam in every cascade
The same with two images, x and r = A^H (k - y), 0 at first:  x <- x - lam r - S^H S u;  r <- (1 - lam) r - A^H A u
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ...blocks import NormUNet, OnComplex, from_fastmri
from ...losses import l1
from ...ops import Coils, Fourier
from ...solve import ista
from ..base import Reconstructor, cartesian, combine, method


@method(
    "e2e_varnet",
    ref=None,
    section="2.5",
    learns="database",
    small=dict(cascades=4, width=6, depth=3),
    differs=(
        "the maps are given; the paper estimates them with one more U-Net, trained along",
        "the image is combined with the maps and complex; the paper's is the root of the sum of squares of all coils",
        "trained with the l1 loss of the complex image; the paper's is the SSIM of magnitudes",
        "the last layers start at zero, so training starts at the zero-filled image",
    ),
    mixes_rows=True,
)
class E2EVarNet(Reconstructor):
    def __init__(self, cascades: int = 12, width: int = 18, depth: int = 4):
        super().__init__()
        self.u = nn.ModuleList(OnComplex(NormUNet(width, depth).silent()) for _ in range(cascades))
        self.u.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  as complex images are
        self.lam = nn.Parameter(torch.ones(cascades))

    def forward(self, y, A):
        x, residual = A.H(y), 0.0
        seen = cartesian(A).maps.abs().square().sum(1)
        for u, lam in zip(self.u, self.lam):
            v = u(x)
            x = x - lam * residual - seen * v
            if u is not self.u[-1]:
                residual = (1 - lam) * residual - A.N(v)
        return x

    def loss(self, sample):
        return l1(self(sample.kspace, sample.A), sample.image)

    def load_fastmri(self, weights: Mapping[str, Tensor]) -> None:
        """Take on the weights of a `fastmri.models.VarNet` of this size; those of its sensitivity network are left."""
        for i in range(len(self.u)):
            start = f"cascades.{i}.model."
            of_u = {name.removeprefix(start): weight for name, weight in weights.items() if name.startswith(start)}
            self.u.get_submodule(f"{i}.net").load_state_dict(from_fastmri(of_u))
            self.lam.data[i] = weights[f"cascades.{i}.dc_weight"].item()


def claim_without_its_sensitivity_network_fastmris_has_29452068_parameters(model, sample):
    assert [sum(p.numel() for p in E2EVarNet(n).parameters()) for n in (1, 12)] == [2_454_339, 29_936_966 - 484_898]


def claim_two_images_do_what_the_paper_does_with_all_of_kspace(model, sample):
    y, A = sample.kspace, type(sample.A)(sample.mask, 0.8 * sample.maps)
    FS, k = Fourier() @ Coils(A.maps), y
    for u, lam in zip(model.u, model.lam.data.copy_(torch.tensor([0.3, 0.7, 1.0, 0.5]))):
        k = k - lam * A.mask * (k - y) - FS(u(FS.H(k)))
    assert (model(y, A) - FS.H(k)).abs().max() < 1e-4


def claim_without_its_learned_part_it_is_gradient_descent_in_kspace(model, sample):
    y, A, FS = sample.kspace, sample.A, Fourier() @ Coils(sample.A.maps)
    for u in model.u:
        u.forward = lambda x: 0.1 * x
    k = ista(lambda k: A.mask * (k - y) + 0.1 * FS(FS.H(k)), lambda v, step: v, y, 1.0, len(model.u))
    assert (model(y, A) - combine(k, A)).abs().max() < 1e-5
