"""Review, section 2.1: does an adversarial loss need a pixel loss, and do its images look better at lower PSNR?

One coil, R = 4, GANCS's generator. A fixed number of steps with a constant learning rate, and the last weights: to
choose the best would hide what is asked for.
"""

from collections.abc import Sequence

import torch
from scipy.stats import fisher_exact
from torch import Tensor
from torch.nn.functional import max_pool2d
from torch.optim import Adam

from ..data import slices
from ..data.sample import Sample
from ..data.single import OneCoil
from ..methods.base import Reconstructor, card
from ..profiles import Profile
from ..sampling import protocol
from ..scores import Interval, bootstrap
from ..shapes import Image
from . import scans
from .base import Outcome, Verdict, decide, experiment
from .statistics import words

TWICE = 1.0  # margin of claim 20: at least twice the fluctuation, in powers of two
VISIBLE = 0.2  # margin of claim 21 in dB
SHARPER = 0.1  # margin of claim 21: this much nearer to the truth's sharpness, in powers of two
BALANCE = 0.975  # eta of GANCS
RATES = 1e-3, 3e-4  # Adam's, of generator and critic
EDGE = 0.25  # a gradient above this part of the truth's 99th percentile is an edge


def sharpness(x: Image, ref: Image) -> Tensor:
    """Norm of the Laplacian of the magnitude over that of the truth, (batch,): 1 is as sharp. Noise counts as sharp."""
    a, b = (_laplacian(v.abs()).square().sum((-2, -1)).sqrt() for v in (x, ref))
    return a / b


def invented(x: Image, ref: Image, reach: int = 2) -> Tensor:
    """Share of the edge pixels of x that have no edge of the truth within `reach` pixels, (batch,); 0 without edges."""
    steep = [_gradient(v.abs()) for v in (x, ref)]
    level = EDGE * steep[1].flatten(1).quantile(0.99, dim=1)[:, None, None]
    edges, true = (s > level for s in steep)
    near = max_pool2d(true.float(), 2 * reach + 1, 1, reach) > 0
    return (edges & ~near).sum((-2, -1)) / edges.sum((-2, -1)).clamp_min(1)


def _laplacian(x: Tensor) -> Tensor:
    return 4 * x - sum(x.roll(step, axis) for step in (1, -1) for axis in (-2, -1))


def _gradient(x: Tensor) -> Tensor:
    return ((x - x.roll(1, -1)).square() + (x - x.roll(1, -2)).square()).sqrt()


def play(model: Reconstructor, train: Sequence[Sample], few: Sequence[Sample], steps: int, checks: int) -> list[float]:
    """Train in turns for `steps` rounds; the PSNR on `few` after each of `checks` equal parts."""
    players = [Adam(p, lr=lr, betas=(0.5, 0.999)) for p, lr in zip((model.own(), model.critic.parameters()), RATES)]
    found = []
    for step in range(1, steps + 1):
        sample = train[step * 7 % len(train)]
        for player, loss_of in zip(reversed(players), (model.critic_loss, model.loss)):
            loss = loss_of(sample)
            assert loss is not None  # there is a critic
            player.zero_grad()
            loss.backward()
            player.step()
        if step * checks // steps > len(found):
            found.append(float(scans.psnr(model, few).nan_to_num(nan=0.0).mean()))
    return found


def _setting(where: Profile) -> tuple[OneCoil, OneCoil, OneCoil]:
    training = slices("train", protocol(4), where.name, training=True, strip=where.strip)
    return OneCoil(training), OneCoil(scans.few("val", where, 4)), OneCoil(scans.few("test", where, 12))


def _network(eta: float, seed: int) -> Reconstructor:
    torch.manual_seed(seed)
    return card("gancs").build(eta=eta, width=16, blocks=3)


@experiment(20, "2.1", "An adversarial loss needs a pixel loss beside it to be stable.")
def stability(where: Profile) -> Verdict:
    seeds, steps = {"ci": (3, 40), "cpu": (5, 300), "gpu": (5, 1000)}[where.name]
    train, few, _ = _setting(where)
    folded = float(scans.psnr(card("zero_filled").build(), few).mean())
    found = {
        eta: torch.tensor([play(_network(eta, seed), train, few, steps, checks=10) for seed in range(seeds)])
        for eta in (0.0, BALANCE)
    }
    return steadier(found[0.0], found[BALANCE], folded)


def steadier(alone: Tensor, beside: Tensor, folded: float) -> Verdict:
    """From PSNR (seed, check) without and with a pixel loss: log2 of the ratio of their fluctuations, seed by seed.

    Fluctuation: the standard deviation over the last half of the checks, 0.01 dB at least. A run has diverged when its
    last image is worse than the zero-filled one by 1 dB.
    """
    last = alone.shape[1] // 2
    moves = [psnr[:, -last:].double().std(1).clamp_min(0.01) for psnr in (alone, beside)]
    effect = bootstrap((moves[0] / moves[1]).log2())
    lost = [int((psnr[:, -1] < folded - 1).sum()) for psnr in (alone, beside)]
    p = fisher_exact([[n, len(alone) - n] for n in lost])[1]
    ends = [psnr[:, -1].double() for psnr in (alone, beside)]
    remark = (
        f"Adversarial alone / with pixels: {lost[0]} / {lost[1]} of {len(alone)} seeds diverged (Fisher p = {p:.2g}); "
        f"last PSNR {ends[0].mean():.1f} / {ends[1].mean():.1f} dB, its standard deviation over seeds "
        f"{ends[0].std():.2f} / {ends[1].std():.2f} dB; zero-filled {folded:.1f} dB."
    )
    return Verdict(
        decide(effect, TWICE), effect, "log2 of the fluctuation of PSNR, without over with pixel loss", remark
    )


@experiment(21, "2.1", "Adversarial training gives sharper images, at a lower PSNR.")
def sharper(where: Profile) -> Verdict:
    seeds, steps, eta = {"ci": (1, 60, 0.5), "cpu": (2, 400, 0.5), "gpu": (3, 3000, 0.5)}[where.name]
    train, few, test = _setting(where)
    pairs = [[_network(e, seed) for e in (1.0, eta)] for seed in range(seeds)]
    for model in (model for pair in pairs for model in pair):
        play(model, train, few, steps, checks=1)
    return better_looking([[measured(model, test) for model in pair] for pair in pairs])


def measured(model: Reconstructor, samples: Sequence[Sample]) -> Tensor:
    """(3, slices): PSNR, sharpness, share of invented edges."""
    with torch.no_grad():
        images = [model(s.kspace, s.A) for s in samples]
    rows = [torch.cat([f(x, s.image) for x, s in zip(images, samples)]) for f in (sharpness, invented)]
    return torch.stack([scans.psnr(model, samples), *rows]).double()


def better_looking(pairs: Sequence[Sequence[Tensor]]) -> Verdict:
    """From `measured` of (pixel loss alone, with adversarial loss) for each seed. Both halves must hold."""
    plain, gan = (torch.stack([pair[i] for pair in pairs]).mean(0) for i in (0, 1))
    cost = bootstrap(plain[0] - gan[0])
    off = [torch.stack([pair[i][1] for pair in pairs]).log2().abs().mean(0) for i in (0, 1)]
    nearer, more = bootstrap(off[0] - off[1]), bootstrap(gan[2] - plain[2])
    remark = (
        f"PSNR lost {words(cost)} dB. Sharpness (truth 1): {plain[1].mean():.2f} without, {gan[1].mean():.2f} with; "
        f"invented edges {100 * plain[2].mean():.1f} % without, {100 * gan[2].mean():.1f} % with, difference "
        f"{words(Interval(*(100 * v for v in (more.mean, more.low, more.high))), 1)} points. Noise counts as sharpness."
    )
    outcome = both(decide(nearer, SHARPER), decide(cost, VISIBLE))
    return Verdict(outcome, nearer, "log2 of sharpness, how much nearer to the truth's", remark)


def both(first: Outcome, second: Outcome) -> Outcome:
    """A claim of two halves: confirmed if both are, refuted if one is."""
    if "refuted" in (first, second):
        return "refuted"
    return "confirmed" if first == second == "confirmed" else "not decided"
