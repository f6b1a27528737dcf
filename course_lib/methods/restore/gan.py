"""GAN: a generator that learns to please a critic (Goodfellow et al., NeurIPS 2014), with a pixel loss beside it.

min_G eta ||x - truth||_1 + (1 - eta) a(D(x), 1)       a: least squares, cross entropy or Wasserstein
min_D a(D(truth), 1) + a(D(x), 0)                      in turns with the generator; x is held fixed

x = A^H y + G(A^H y)                                   G removes aliasing; the critic D is for training only
"""

from collections.abc import Callable

from torch import Tensor
from torch.optim import Adam

from ...blocks import Critic, OnComplex, UNet
from ...losses import l1, least_squares
from ..base import Reconstructor, method


@method(
    "gan",
    ref=16,
    section="2.1",
    learns="database",
    small=dict(width=16, depth=3),
    differs=(
        "the paper's generator draws images from noise; ours restores one, with a pixel loss, as the review describes",
        "networks and eta are our choice; eta = 0 is the adversarial loss alone, eta = 1 the pixel loss alone",
        "least squares instead of cross entropy unless `a` says otherwise",
    ),
)
class GAN(Reconstructor):
    def __init__(
        self, eta: float = 0.975, width: int = 32, depth: int = 4, a: Callable[[Tensor, int], Tensor] = least_squares
    ):
        super().__init__()
        self.eta, self.a = eta, a
        self.G, self.critic = OnComplex(UNet(width=width, depth=depth)), Critic()

    def forward(self, y, A):
        AHy = A.H(y)
        return AHy + self.G(AHy)

    def loss(self, sample):
        x = self(sample.kspace, sample.A)
        return self.eta * l1(x, sample.image) + (1 - self.eta) * self.a(self.critic(x), 1)

    def critic_loss(self, sample):
        x = self(sample.kspace, sample.A).detach()
        return self.a(self.critic(sample.image), 1) + self.a(self.critic(x), 0)


def claim_the_critic_is_for_training_only(model, sample):
    y, A = sample.kspace, sample.A
    x, model.critic = model(y, A), None
    assert (model(y, A) - x).abs().max() == 0 and len(model.own()) == len(list(model.parameters()))


def claim_eta_weighs_the_pixels_against_the_critic(model, sample):
    x = model(sample.kspace, sample.A)
    pixels, pleasing = l1(x, sample.image), (model.critic(x) - 1).square().mean()
    for eta in (0.0, 0.3, 1.0):
        model.eta = eta
        assert (model.loss(sample) - eta * pixels - (1 - eta) * pleasing).abs() < 1e-5


def claim_the_critic_learns_and_the_generator_does_not_feel_it(model, sample):
    optimiser = Adam(model.critic.parameters(), lr=3e-3)
    for _ in range(40):
        optimiser.zero_grad()
        model.critic_loss(sample).backward()
        optimiser.step()
    assert all(p.grad is None for p in model.own())
    assert model.critic(sample.image) > 0.2 + model.critic(model(sample.kspace, sample.A))  # the truth scores higher


def claim_the_opinion_of_the_critic_reaches_the_generator(model, sample):
    model.eta = 0.0
    model.loss(sample).backward()
    assert all(p.grad is not None and p.grad.any() for p in model.own())
