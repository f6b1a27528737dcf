"""Image-adaptive GAN (Abu Hussein, Tirer & Giryes, AAAI 2020; for MRI Bhadra, Zhou & Anastasio, SPIE 2020).

min_z ||A G(z) - y||^2                        first the image of G that fits the data best, as with a GAN prior
min_{z, theta} ||A G_theta(z) - y||^2         then the weights of G move, too: few steps, from the trained ones

x <- G_theta(z)                               theta belongs to this scan; the next one starts at the trained weights
"""

import torch
from torch.func import functional_call

from ...blocks import Critic, Generator
from ...losses import critic_of_wgan_gp, wasserstein
from ...shapes import sized
from ...solve import adam
from ...solve.latent import misfit, scans, search
from ..base import Reconstructor, card, cartesian, method


@method(
    "adapted_gan",
    ref=82,
    section="3",
    learns="database",
    small=dict(size=(32, 32), latent=32, width=64, depth=3, steps=100, restarts=4, adaptation=100),
    differs=(
        "it needs clean images to train, but no data that belong to them: it is blind to sampling and coils",
        "z moves with the learning rate of the weights, the authors' code: with a tenth of it",
        "WGAN-GP instead of progressive growing; no total variation beside the misfit; all else as in gan_prior",
    ),
)
class AdaptedGAN(Reconstructor):
    clean_images = True  # it learns from whole images, and from nothing else of a sample

    # fmt: off
    def __init__(self, size: tuple[int, int] = (128, 128), latent: int = 128, width: int = 512, depth: int = 5,
                 steps: int = 1600, restarts: int = 5, lr: float = 0.1, lam: float = 1e-3,
                 adaptation: int = 300, theta_lr: float = 1e-3):
        # fmt: on
        super().__init__()
        self.steps, self.restarts, self.lr, self.lam, self.adaptation = steps, restarts, lr, lam, adaptation
        self.G, self.critic, self.theta_lr = Generator(size, latent, width, depth), Critic((16, 32, 64)), theta_lr

    def adapt(self, y, A, watch=None):
        z = search(self.G, y, A, self.G.latent, self.restarts, self.steps, self.lr, self.lam).requires_grad_()
        theta = {name: p.detach().clone().requires_grad_() for name, p in self.G.named_parameters()}
        x = lambda: functional_call(self.G, theta, z)
        adam(lambda: misfit(x(), y, A).sum(), [z, *theta.values()], self.adaptation, self.theta_lr, watch)
        return x().detach()

    def forward(self, y, A):
        sized("adapted GAN", y, self.G.size)
        return torch.cat([self.adapt(*scan) for scan in scans(y, cartesian(A))])

    def loss(self, sample):
        return wasserstein(self.critic(self.G(self.G.draw(len(sample.image)))), 1)

    def critic_loss(self, sample):
        return critic_of_wgan_gp(self.critic, sample.image, self.G(self.G.draw(len(sample.image))).detach())


def claim_without_adaptation_it_is_the_gan_prior(model, sample):
    model.adaptation, prior = 0, card("gan_prior").build(**card("gan_prior").small)
    prior.load_state_dict(model.state_dict())
    assert torch.equal(model(sample.kspace, sample.A), prior(sample.kspace, sample.A).detach())


def claim_adapted_weights_agree_better_with_the_data(model, sample):
    off = []
    for model.adaptation in (0, 100):
        off.append(misfit(model(sample.kspace, sample.A), sample.kspace, sample.A))
    assert off[1] < 0.3 * off[0]


def claim_the_next_scan_starts_at_the_trained_weights(model, sample):
    y, A, before = sample.kspace, sample.A, {key: value.clone() for key, value in model.state_dict().items()}
    x = model(y, A)
    model(1j * y.flip(-1), A)
    assert torch.equal(model(y, A), x)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
