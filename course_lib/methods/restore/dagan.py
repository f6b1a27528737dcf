"""DAGAN: a de-aliasing GAN (Yang, Yu, Dong et al., IEEE Trans. Med. Imaging 2018).

min_G alpha |x - truth| / |truth| + beta | |F x| - |F truth| |^2 + gamma feature(x, truth) + a(D(x), 1)
min_D a(D(truth), 1) + a(D(x), 0)             in turns; a: cross entropy, F: the Fourier transform

x = A^H y + G(A^H y)                          refinement: the U-Net G adds to the zero-filled image
"""

from collections.abc import Callable, Sequence

import torch

from ... import blocks, losses
from ..base import Reconstructor, method

Widths = Sequence[int]
DOWN, UP = (64, 128, 256, 512, 512, 512, 512, 512), (512, 1024, 1024, 1024, 256, 128, 64, 64)


@method(
    "dagan",
    ref=17,
    section="2.1",
    learns="database",
    small=dict(down=(16, 32, 64, 64), up=(64, 32, 16, 16), scorer=(8, 16, 32, 64)),
    differs=(
        "loss and weights are the authors' code's: its pixel loss is a ratio of norms, the paper's a squared error",
        "no VGG features (gamma = 0.0025) unless `feature` is given: they need a network trained on photographs",
        "complex images as two channels, no tanh or clipping; the paper's are magnitudes between -1 and 1",
        "instance instead of batch normalisation in G, none in D, which averages scores over places, as in GANCS",
    ),
)
class DAGAN(Reconstructor):
    # fmt: off
    def __init__(self, down: Widths = DOWN, up: Widths = UP, scorer: Widths = (64, 128, 256, 512, 1024, 2048),
                 alpha: float = 15, beta: float = 0.1, gamma: float = 0.0025, feature: Callable | None = None):
        # fmt: on
        super().__init__()
        self.alpha, self.beta, self.gamma, self.feature = alpha, beta, gamma, feature
        self.G, self.critic = blocks.OnComplex(blocks.StridedUNet(down, up)), blocks.Critic(scorer, kernel=4)

    def forward(self, y, A):
        AHy = A.H(y)
        return AHy + self.G(AHy)

    def loss(self, sample):
        x, truth = self(sample.kspace, sample.A), sample.image
        content = self.alpha * losses.relative(x, truth) + self.beta * losses.frequency(x, truth)
        content += self.gamma * self.feature(x, truth) if self.feature else 0
        return content + losses.cross_entropy(self.critic(x), 1)

    def critic_loss(self, sample):
        x = self(sample.kspace, sample.A).detach()
        return losses.cross_entropy(self.critic(sample.image), 1) + losses.cross_entropy(self.critic(x), 0)


def claim_the_generator_of_the_paper_has_98567232_weights_in_its_kernels(model, sample):
    with torch.device("meta"):
        net = blocks.StridedUNet(DOWN, UP, inside=1, outside=1)
    assert sum(p.numel() for p in net.parameters() if p.ndim == 4) == 98_567_232


def claim_a_silent_network_leaves_the_zero_filled_image(model, sample):
    model.G.net.last.apply(lambda layer: [p.data.zero_() for p in layer.parameters()])
    assert (model(sample.kspace, sample.A) - sample.A.H(sample.kspace)).abs().max() < 1e-6


def claim_the_loss_is_the_weighted_sum_of_its_terms(model, sample):
    x, truth = model(sample.kspace, sample.A).detach(), sample.image
    pixel = torch.linalg.norm(x - truth) / torch.linalg.norm(truth)
    spectra = [torch.fft.fft2(v).abs() for v in (x, truth)]  # not normalised, as in the authors' code
    expected = 15 * pixel + 0.1 * (spectra[0] - spectra[1]).square().mean() - model.critic(x).sigmoid().log().mean()
    assert (model.loss(sample) - expected).abs() < 1e-3 * expected
    model.feature = lambda x, truth: torch.tensor(400.0)
    assert (model.loss(sample) - expected - 1).abs() < 1e-3 * expected


def claim_the_turn_of_the_critic_leaves_the_generator_alone(model, sample):
    model.critic_loss(sample).backward()
    assert all(p.grad is None for p in model.own()) and all(p.grad.any() for p in model.critic.parameters())
