"""RIM: recurrent inference machine (Putzky & Welling 2017; Loenning, Putzky, Sonke, Reneman, Caan & Welling 2019).

min_h  sum_t w_t ||x_t - x*||^2,  w_t = 10^((t - T) / (T - 1))           what is learned is the optimiser h

g = A^H (A x_t - y)                    the gradient of 1/2 ||A x - y||^2: all that h is told about the data
x_t+1 = x_t + h(g, x_t, s_t)           the same h in every step; s_t: its memory, the states of two gated units
"""

import torch
from torch import Tensor

from ...blocks import Update
from ...ops.linear import LinearOperator
from ...shapes import Image, KSpace
from ...solve import safe_step
from ..base import Reconstructor, method


@method(
    "rim",
    ref=70,
    section="2.5",
    learns="database",
    thin=True,
    small=dict(width=24),
    differs=(
        "the gradient is not divided by the variance of the noise: our data are scaled to the image, not to the noise",
        "layer sizes as in public code of the authors' group (recalled), the units as their authors define them",
        "the last convolution of h starts at zero: untrained it returns A^H y",
    ),
)
class RIM(Reconstructor):
    def __init__(self, iterations: int = 8, width: int = 64):
        super().__init__()
        self.iterations, self.h = iterations, Update(width)

    def steps(self, y: KSpace, A: LinearOperator) -> list[Image]:
        x = AHy = A.H(y)
        step, state, found = safe_step(A, x), None, []
        for _ in range(self.iterations):
            g = step * (A.N(x) - AHy)
            change, state = self.h(g, x, state)
            x = x + change
            found.append(x)
        return found

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        return self.steps(y, A)[-1]

    def loss(self, sample) -> Tensor:
        w = torch.logspace(-1, 0, self.iterations).tolist()
        errors = [(x - sample.image).abs().square().mean() for x in self.steps(sample.kspace, sample.A)]
        return torch.stack([a * b for a, b in zip(w, errors)]).mean()


def claim_without_its_learned_part_it_is_gradient_descent(model, sample):
    y, A = sample.kspace, sample.A
    x, model.iterations, model.h.forward = A.H(y), 12, lambda g, x, state: (-0.8 * g, state)
    for _ in range(12):
        x = x - 0.8 * (A.N(x) - A.H(y))
    assert (model(y, A) - x).abs().max() < 1e-5


def claim_all_steps_share_one_network_of_94080_parameters(model, sample):
    assert [sum(p.numel() for p in RIM(iterations=n).parameters()) for n in (1, 8)] == [94_080, 94_080]


def claim_it_remembers_the_steps_before(model, sample):
    h, x = model.h.forward, model(sample.kspace, sample.A)
    model.h.forward = lambda g, x, state: h(g, x)
    assert (model(sample.kspace, sample.A) - x).abs().max() > 1e-5


def claim_the_first_step_weighs_a_tenth_of_the_last_and_all_count(model, sample):
    for t in range(8):
        model.steps = lambda y, A, t=t: [sample.image + (i == t) for i in range(8)]
        assert abs(8 * model.loss(sample) - 10 ** ((t - 7) / 7)) < 1e-5
