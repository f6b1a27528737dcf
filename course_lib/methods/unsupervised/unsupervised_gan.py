"""Unsupervised GAN (Cole, Pauly, Vasanawala & Ong, arXiv 2008.13065, 2020): the critic sees undersampled images only.

min_f max_D  mean D(A^H y) - mean D(A'^H A' x) - 10 (|slope of D| - 1)^2       A': as A, with another mask M'
x <- x - t A^H (A x - y); x <- x + f(x)     from x = A^H y; each iteration has its own t and residual network f
x <- x + A^H (y - A x)                      at the end acquired samples are put back, coil by coil
"""

from dataclasses import replace

import torch
from torch import nn

from ... import blocks, ops
from ...data.sample import scale
from ...losses import critic_of_wgan_gp, wasserstein
from ...sampling import redrawn
from ..base import Reconstructor, method


@method(
    "unsupervised_gan",
    ref=73,
    section="3",
    learns="database",
    thin=True,
    small=dict(iterations=4, width=24, depth=1),
    differs=(
        "M' keeps the centre of M and has as many other lines, drawn anew; the authors' code: the mask of another scan",
        "both images that the critic sees are divided by their own scale; it halves the resolution, theirs keeps it",
        "recalled: the blocks of f; f starts at 0 and t at 1; trained with Muon, one turn each as in the authors' code",
    ),
)
class UnsupervisedGAN(Reconstructor):
    def __init__(self, iterations: int = 5, width: int = 128, depth: int = 2):
        super().__init__()
        nets = [blocks.resnet(width, depth) for _ in range(iterations)]
        self.f = nn.ModuleList(blocks.OnComplex(net) for net in nets)
        self.t, self.critic, self.other = nn.Parameter(torch.ones(iterations)), blocks.Critic((16, 32, 64)), redrawn
        for p in (p for net in nets for p in net[-1].parameters()):
            nn.init.zeros_(p)

    def forward(self, y, A):
        x = AHy = A.H(y)
        for f, t in zip(self.f, self.t):
            x = x - t * (A.N(x) - AHy)
            x = x + f(x)
        return x + AHy - A.N(x)

    def measured_again(self, sample):
        A = ops.Sense(self.other(sample.mask), sample.maps)
        y = A(self(sample.kspace, sample.A))
        return A.H(y) / scale(y, A).detach()[:, None, None]

    def loss(self, sample):
        return wasserstein(self.critic(self.measured_again(sample)), 1)

    def critic_loss(self, sample):
        return critic_of_wgan_gp(self.critic, sample.A.H(sample.kspace), self.measured_again(sample).detach())


def claim_neither_player_ever_sees_the_image(model, sample):
    blind = replace(sample, image=sample.image * torch.nan)
    assert (model.loss(blind) + model.critic_loss(blind)).isfinite()


def claim_the_critic_compares_with_what_another_mask_would_have_measured(model, sample):
    seen, other = [], model.other(sample.mask)
    model.other = lambda mask: other
    model.critic.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    model.critic_loss(sample)
    fake = ops.Sense(other, sample.maps).N(model(sample.kspace, sample.A))
    assert (other != sample.mask).any() and torch.equal(seen[0], sample.A.H(sample.kspace))
    assert (seen[1] / seen[1].norm() - fake / fake.norm()).norm() < 1e-4


def claim_with_one_coil_and_the_same_mask_any_network_would_please_the_critic(model, sample):
    model.other = lambda mask: mask
    one = replace(sample, maps=torch.ones_like(sample.maps[:, :1]), kspace=sample.kspace[:, :1])
    again, same = model.measured_again(one) * scale(one.kspace, one.A), one.A.H(one.kspace)
    assert (again - same).norm() < 1e-3 * same.norm()
