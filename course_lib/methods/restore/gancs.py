"""GANCS: GAN for compressed sensing (Mardani, Gong, Cheng et al., IEEE Trans. Med. Imaging 2019).

min_G eta ||x - truth||_1 + (1 - eta) a(D(x), 1)       a: least squares (LSGAN)
min_D a(D(truth), 1) + a(D(x), 0)                      in turns with the generator

z <- G(A^H y)                                          a ResNet proposes an image
x <- z + A^H (y - A z)                                 and is projected onto the images that agree with the data
"""

import torch

from ...blocks import Critic, OnComplex, resnet
from ...losses import l1
from ...losses import least_squares as a
from ...ops import Sense
from ..base import Reconstructor, method


@method(
    "gancs",
    ref=19,
    section="2.1",
    learns="database",
    small=dict(width=24, blocks=4),
    differs=(
        "recalled: eta, and 5 blocks of 128 channels; the released code has 4 blocks, of 128 and 64 channels",
        "the paper projects with the pseudo-inverse of A: A^H for one coil; for many, ours is a gradient step, as an "
        "exact projection would leave to the network only what SENSE cannot solve",
        "complex images as two channels, no batch normalisation, no sigmoid at the end",
    ),
)
class GANCS(Reconstructor):
    def __init__(self, width: int = 128, blocks: int = 5, eta: float = 0.975):
        super().__init__()
        self.eta = eta
        self.G, self.critic = OnComplex(resnet(width, blocks)), Critic((8, 16, 32, 64))

    def forward(self, y, A):
        z = self.G(A.H(y))
        return z + A.H(y - A(z))

    def loss(self, sample):
        x = self(sample.kspace, sample.A)
        return self.eta * l1(x, sample.image) + (1 - self.eta) * a(self.critic(x), 1)

    def critic_loss(self, sample):
        x = self(sample.kspace, sample.A).detach()
        return a(self.critic(sample.image), 1) + a(self.critic(x), 0)


def claim_with_one_coil_acquired_samples_are_kept_and_the_others_are_the_network_s(model, sample):
    A, y = _one_coil(sample)
    x, z = model(y, A), model.G(A.H(y))
    everywhere = Sense(1 + 0 * A.mask, A.maps)
    assert (everywhere(x) - y - (1 - A.mask) * everywhere(z)).abs().max() < 1e-4 * y.abs().max()


def claim_with_many_coils_it_is_a_step_towards_the_data(model, sample):
    y, A = sample.kspace, sample.A
    before, after = ((A(v) - y).abs().square().sum() for v in (model.G(A.H(y)), model(y, A)))
    assert 1e-6 * before < after < before


def claim_the_truth_stays_when_the_generator_finds_it(model, sample):
    model.G.forward = lambda x: sample.image
    assert (model(sample.A(sample.image), sample.A) - sample.image).abs().max() < 1e-5


def claim_the_critic_grades_what_the_projection_returns(model, sample):
    x = model(sample.kspace, sample.A)
    model.eta = 0.0
    assert (model.loss(sample) - (model.critic(x) - 1).square().mean()).abs() < 1e-5
    assert (model.critic_loss(sample) - (model.critic(sample.image) - 1) ** 2 - model.critic(x) ** 2).abs() < 1e-5


def _one_coil(sample):
    A = Sense(sample.mask, torch.ones_like(sample.maps[:, :1]))
    return A, A(sample.image)
