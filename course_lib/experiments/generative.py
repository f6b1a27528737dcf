"""Review, section 3: does a GAN prior gain when the weights of its generator may follow the data?

A small GAN on ellipse phantoms, one coil, R = 3. Images of the generator itself are in its range; unseen phantoms are
not. A fixed number of rounds and of steps: the experiment can be repeated.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim import Adam

from ..data.phantom import phantom_sample
from ..data.sample import Sample
from ..methods.base import Reconstructor, card
from ..methods.unsupervised.adapted_gan import AdaptedGAN
from ..methods.unsupervised.gan_prior import GANPrior
from ..muon import Muon
from ..ops import Sense
from ..profiles import Profile
from ..sampling import random
from ..scores import bootstrap
from ..shapes import Image
from ..train import schedule
from . import scans
from .base import Verdict, decide, experiment
from .statistics import words

VISIBLE = 0.2  # margin in dB; fixed, as all that follows, before anything was measured
SIZE = 32
SIZES = {
    "ci": (20, 20, 2, 1),
    "cpu": (400, 100, 8, 3),
    "gpu": (2000, 400, 24, 8),
}  # phantoms, steps, images, noisy ones
ROUNDS = {"ci": 20, "cpu": 1200, "gpu": 5000}
BATCH, RATES = 8, (3e-3, 3e-3)  # of the generator (Muon) and of the critic (Adam)
NOISE = 0.02, 0.1  # standard deviation in k-space: usual, and so much that it may be over-fitted
ADAPTATION = 100  # steps
WATCHED = (0, 25, 50, 100, 200, 400)  # steps after which the noisy images are looked at


def trained(model: Reconstructor, images: Image, rounds: int) -> None:
    """So many rounds of critic and generator on batches of whole images."""
    players = [Adam([{"params": list(model.critic.parameters()), "peak": RATES[1]}], betas=(0.5, 0.999))]
    players += [Muon(nn.ParameterList(model.own()), RATES[0])]
    order = torch.Generator().manual_seed(0)
    for step in range(rounds):
        batch = images[torch.randint(len(images), (BATCH,), generator=order)]
        sample = Sample(batch[:, None], torch.ones(1, 1, 1, SIZE), torch.ones_like(batch[:1, None]), batch)
        for player, loss_of in zip(players, (model.critic_loss, model.loss)):
            for group in player.param_groups:
                group["lr"] = schedule((step + 1) / rounds) * group["peak"]
            loss = loss_of(sample)
            assert loss is not None  # there is a critic
            player.zero_grad()
            loss.backward()
            player.step()


def phantoms(first: int, count: int) -> Image:
    """Whole phantoms with the seeds first ... first + count, smooth phase taken off."""
    return torch.cat([phantom_sample(SIZE, SIZE, 1, seed=first + i).image for i in range(count)])


def measured(images: Image, noise: float) -> list[Sample]:
    """Each image as one coil sees it through lines of its own, a third of them."""
    found = []
    for seed, x in enumerate(images.split(1)):
        mask, maps = random(SIZE, 3, 0.16, seed), torch.ones_like(x[:, None])
        A = Sense(mask, maps)
        found.append(Sample(A(x) + noise * mask * scans.noise_like(maps, seed), mask, maps, x))
    return found


@experiment(58, "3", "A GAN prior improves when the weights of its generator are adapted to the data, too.")
def adaptation(where: Profile) -> Verdict:
    number, steps, count, few = SIZES[where.name]
    torch.manual_seed(0)
    prior, adapted = (card(name).build(**card(name).small | {"steps": steps}) for name in ("gan_prior", "adapted_gan"))
    assert isinstance(prior, GANPrior) and isinstance(adapted, AdaptedGAN)
    trained(prior, phantoms(1000, number), ROUNDS[where.name])
    adapted.load_state_dict(prior.state_dict())
    with torch.no_grad():
        inside = prior.G(torch.randn(count, prior.G.latent, generator=torch.Generator().manual_seed(1)))
    outside = phantoms(5000, count)
    sets = {"in": measured(inside, NOISE[0]), "out": measured(outside, NOISE[0])}
    fixed = {name: scans.psnr(prior, samples) for name, samples in sets.items()}
    moved = {name: levels(adapted, samples, (ADAPTATION,))[0] for name, samples in sets.items()}
    watched = WATCHED if where.name != "ci" else WATCHED[:3]
    noisy = levels(adapted, measured(outside[:few], NOISE[1]), watched)
    rival = scans.psnr(scans.tuned("cs_tv", measured(phantoms(9000, 4), NOISE[0])), sets["out"])
    return gains(fixed, moved, dict(zip(watched, noisy)), rival)


def levels(model: AdaptedGAN, samples: Sequence[Sample], steps: Sequence[int]) -> Tensor:
    """PSNR (steps, samples) after so many steps of adaptation."""
    found = []
    for model.adaptation in steps:
        found.append(scans.psnr(model, samples))
    return torch.stack(found)


def gains(fixed: dict[str, Tensor], moved: dict[str, Tensor], noisy: dict[int, Tensor], rival: Tensor) -> Verdict:
    """PSNR gained by adaptation on images outside the range; what it does inside, and with noise, is remark."""
    gain = {name: moved[name] - fixed[name] for name in fixed}
    effect, inside, more = bootstrap(gain["out"]), bootstrap(gain["in"]), bootstrap(gain["out"] - gain["in"])
    means = {steps: float(v.mean()) for steps, v in noisy.items()}
    best, last = max(means, key=lambda steps: means[steps]), max(means)
    remark = (
        f"One GAN, ellipse phantoms, one coil, R = 3. Outside the range {float(fixed['out'].mean()):.2f} dB without, "
        f"{float(moved['out'].mean()):.2f} dB with {ADAPTATION} steps of adaptation, tuned TV "
        f"{float(rival.mean()):.2f} dB. Inside the range adaptation changes {words(inside)} dB; interaction, outside "
        f"minus inside, {words(more)} dB. With {NOISE[1] / NOISE[0]:g} times the noise, after "
        f"{', '.join(map(str, means))} steps: {', '.join(f'{v:.2f}' for v in means.values())} dB; after the best, "
        f"{best}, {words(bootstrap(noisy[last] - noisy[best]))} dB by going on."
    )
    return Verdict(decide(effect, VISIBLE), effect, "PSNR (dB) gained by adaptation on images out of range", remark)
