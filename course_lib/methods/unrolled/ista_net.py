"""ISTA-Net (Zhang & Ghanem, CVPR 2018).

min_x 1/2 ||A x - y||^2 + lam ||D(x)||_1      D: two convolutions with a ReLU between them, no longer linear

r <- x - rho A^H (A x - y)                    a gradient step
x <- B(soft(D(r), theta))                     B is built as D; the loss asks that B(D(r)) = r (symmetry)

ISTA-Net+:  x <- r + G(B(soft(D(E(r)), theta))),  E and G one convolution each. Every phase has its own of all.
"""

import torch
from torch import Tensor, nn

from ...blocks import as_complex, as_real
from ...ops.linear import LinearOperator
from ...shapes import Image, KSpace
from ...solve import ista, safe_step, soft
from ..base import Reconstructor, method


class Phase(nn.Module):
    def __init__(self, width: int, plus: bool):
        super().__init__()
        self.plus, inside = plus, width if plus else 1
        self.E, self.G = (_conv(1, width), _conv(width, 1)) if plus else (nn.Identity(), nn.Identity())
        self.D = nn.Sequential(_conv(inside, width), nn.ReLU(), _conv(width, width))
        self.B = nn.Sequential(_conv(width, width), nn.ReLU(), _conv(width, inside))
        self.rho, self.theta = nn.Parameter(torch.tensor(0.5)), nn.Parameter(torch.tensor(0.01))

    def forward(self, x: Image, gradient: Image) -> tuple[Image, Tensor]:
        """The next image, and how far B is from inverting D."""
        e = self.E(as_real(r := x - self.rho * gradient).flatten(0, 1).unsqueeze(1))
        x = as_complex(self.G(self.B(soft(d := self.D(e), self.theta))).squeeze(1).unflatten(0, (-1, 2)))
        return (r + x if self.plus else x), (self.B(d) - e).square().mean() if self.training else d.new_zeros(())


def _conv(inside: int, outside: int) -> nn.Conv2d:
    nn.init.xavier_normal_((conv := nn.Conv2d(inside, outside, 3, padding=1, bias=False)).weight)
    return conv


@method(
    "ista_net",
    ref=58,
    section="2.5",
    learns="database",
    small=dict(phases=5, width=16, plus=True),
    differs=("complex images: real and imaginary part pass through the same networks, one after the other",),
)
class ISTANet(Reconstructor):
    def __init__(self, phases: int = 9, width: int = 32, plus: bool = False, symmetry: float = 0.01):
        super().__init__()
        self.symmetry, self.phases = symmetry, nn.ModuleList(Phase(width, plus) for _ in range(phases))

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        return self.run(y, A)[0]

    def run(self, y: KSpace, A: LinearOperator) -> tuple[Image, Tensor]:
        x, step, asymmetry = (AHy := A.H(y)), safe_step(A, AHy), torch.zeros(())
        for phase in self.phases:
            x, more = phase(x, step * (A.N(x) - AHy))
            asymmetry = asymmetry + more
        return x, asymmetry

    def loss(self, sample):
        x, asymmetry = self.run(sample.kspace, sample.A)
        return (x - sample.image).abs().square().mean() + self.symmetry * asymmetry


def claim_the_networks_of_the_papers_have_171090_and_336978_parameters(model, sample):
    size = [sum(p.numel() for p in ISTANet(n, plus=plus).parameters()) for plus in (False, True) for n in (1, 9)]
    assert size == [19_010, 171_090, 37_442, 336_978]  # every phase has its own


def claim_without_its_learned_part_it_is_ista(model, sample):
    A, AHy, model = sample.A, sample.A.H(sample.kspace), ISTANet(phases=5, width=2)
    for phase in model.phases:
        phase.D, phase.B, phase.rho.data, phase.theta.data = *[nn.Identity()] * 2, torch.tensor(0.7), torch.tensor(0.02)
    prox = lambda v, step: torch.complex(soft(v.real, 0.02), soft(v.imag, 0.02))
    assert (model(sample.kspace, A) - ista(lambda x: A.N(x) - AHy, prox, AHy, 0.7, 5)).abs().max() < 1e-5
