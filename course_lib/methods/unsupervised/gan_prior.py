"""GAN prior (Narnhofer, Hammernik, Knoll & Pock, SPIE 11138, 2019): images are what a trained generator can draw.

min_G max_D  mean D(x) - mean D(G(z)) - 10 (|slope of D| - 1)^2      x: whole images, z: random numbers; no data
min_z ||A G(z) - y||^2 / ||y||^2 + lam |z|^2 / latent                for each scan, when G is trained

x <- G(z)                                     one of the images that G can draw; nothing else can come out
"""

from dataclasses import replace

import torch

from ...blocks import Critic, Generator, as_real
from ...losses import critic_of_wgan_gp, wasserstein
from ...shapes import sized
from ...solve.latent import scans, search
from ..base import Reconstructor, cartesian, method


@method(
    "gan_prior",
    ref=81,
    section="3",
    learns="database",
    small=dict(size=(32, 32), latent=32, width=64, depth=3, steps=100, restarts=4),
    differs=(
        "it needs clean images to train, but no data that belong to them: it is blind to sampling and coils",
        "recalled: the paper's network, GAN and solver; ours: WGAN-GP, and the search of Bora et al., ICML 2017",
        "the best of 64 random z for each start is followed; pixel instead of batch normalisation; Cartesian samples",
        "small: 100 steps from 4 starts instead of some 1600 from 5 or 10",
    ),
)
class GANPrior(Reconstructor):
    clean_images = True  # it learns from whole images, and from nothing else of a sample

    # fmt: off
    def __init__(self, size: tuple[int, int] = (128, 128), latent: int = 128, width: int = 512, depth: int = 5,
                 steps: int = 1600, restarts: int = 5, lr: float = 0.1, lam: float = 1e-3):
        # fmt: on
        super().__init__()
        self.steps, self.restarts, self.lr, self.lam = steps, restarts, lr, lam
        self.G, self.critic = Generator(size, latent, width, depth), Critic((16, 32, 64))

    def find(self, y, A, watch=None):
        return search(self.G, y, A, self.G.latent, self.restarts, self.steps, self.lr, self.lam, watch)

    def forward(self, y, A):
        sized("GAN prior", y, self.G.size)
        return torch.cat([self.G(self.find(*scan)) for scan in scans(y, cartesian(A))])

    def loss(self, sample):
        return wasserstein(self.critic(self.G(self.G.draw(len(sample.image)))), 1)

    def critic_loss(self, sample):
        return critic_of_wgan_gp(self.critic, sample.image, self.G(self.G.draw(len(sample.image))).detach())


def claim_an_image_that_G_can_draw_is_found_again_from_a_third_of_the_lines(model, sample):
    truth = model.G(model.G.draw(1)).detach()
    model.steps, model.lam = 400, 0.0
    assert (model(sample.A(truth), sample.A) - truth).norm() < 0.1 * truth.norm()


def claim_nothing_comes_out_but_images_of_G(model, sample):
    y, A, G = sample.kspace, sample.A, torch.randn(3, 32, 32, dtype=torch.complex64)
    model.steps, model.lam, model.G.latent = 400, 0.0, 3
    model.G.forward = lambda z: torch.einsum("bi,ihw->bhw", z + 0j, G)  # linear: now the answer is known
    columns, wanted = (as_real(k).flatten(1).T for k in (A(G), y))
    expected = model.G(torch.linalg.lstsq(columns, wanted).solution.T)
    assert (model(y, A) - expected).norm() < 1e-2 * expected.norm()


def claim_it_learns_from_images_and_from_no_data(model, sample):
    blind = replace(sample, kspace=sample.kspace * torch.nan, mask=sample.mask * torch.nan)
    model.critic_loss(blind).backward()
    assert all(p.grad is None for p in model.own()) and all(p.grad.isfinite().all() for p in model.critic.parameters())
    assert model.loss(blind).isfinite()
