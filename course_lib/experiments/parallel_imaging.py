"""Review, section 1.1: what undersampling loses, and what coils give back."""

import torch
from torch import Tensor

from ..data.dataset import Slice
from ..evaluate import head
from ..ops import Sense
from ..profiles import Profile
from ..sampling import uniform
from ..scores import bootstrap
from ..solve import cg
from . import scans
from .base import Verdict, decide, experiment
from .statistics import slope

SIDE = 16  # pixels: A is written down as a matrix
UNSEEN = 0.01  # margin: less than one percent of the image is nothing
SMALL = 1e-6  # singular values below this part of the largest are zero
STEEPER = 0.05  # margin: a slope this close to the square root counts as the square root


@experiment(1, "1.1", "Sampling below the Nyquist rate aliases: the forward model cannot be inverted directly.")
def inversion(where: Profile) -> Verdict:
    return unseen(scans.full("test", where, 12, (SIDE, SIDE)))


def unseen(slices: list[Slice], R: int = 2) -> Verdict:
    """How much of each image lies in the null space of A, one coil, every R-th line."""
    mask = uniform(SIDE, R)
    lost = [unseen_part(s.image.flatten(), matrix(Sense(mask, torch.ones_like(s.maps[:, :1])))) for s in slices]
    effect = bootstrap(torch.tensor(lost))
    coils, facts = slices[0].maps.shape[1], []
    for r in (2, 4, 6):
        found = [singular_values(Sense(uniform(SIDE, r), s.maps)) for s in slices]
        rank = min(float((s > SMALL * s[0]).double().mean()) for s in found)
        worse = float(torch.stack([s[0] / s[-1] for s in found]).median())
        facts.append(f"{r}: rank {100 * rank:.0f} %" + (f", condition {worse:.3g}" if worse * SMALL < 1 else ""))
    remark = f"With {coils} coils A can be inverted in the head as long as its rank is full. At R = {'; '.join(facts)}."
    return Verdict(decide(effect, UNSEEN), effect, f"part of the image that one coil cannot see at R = {R}", remark)


def matrix(A: Sense) -> Tensor:
    """A as a matrix (samples, pixels), in complex128."""
    height, width = A.maps.shape[-2:]
    pixels = torch.eye(height * width, dtype=torch.complex128).reshape(-1, height, width)
    return A(pixels).flatten(1).mT


def unseen_part(x: Tensor, A: Tensor) -> float:
    """|x - P x| / |x|, P the projection on what A sees: the row space."""
    _, s, rows = torch.linalg.svd(A, full_matrices=False)
    rows = rows[s > SMALL * s[0]]
    x = x.to(rows)
    return float((x - rows.mH @ (rows @ x)).norm() / x.norm())


def singular_values(A: Sense) -> Tensor:
    """Those of A as a matrix on the pixels that some coil sees."""
    return torch.linalg.svdvals(matrix(A)[:, (A.maps != 0).any(1).flatten()])


@experiment(2, "1.1", "Higher acceleration loses SNR, more than the square root that fewer samples cost.")
def snr_loss(where: Profile) -> Verdict:
    count, replicas = {"ci": (4, 16), "cpu": (12, 24), "gpu": (12, 100)}[where.name]
    return steepness(scans.full("test", where, count), (1, 2, 3, 4, 6), replicas)


def steepness(slices: list[Slice], accelerations: tuple[int, ...], replicas: int, iterations: int = 40) -> Verdict:
    """Slope of log noise over log R, above the 1/2 of the samples; CG-SENSE of pure noise, regular lines."""
    noise = torch.stack(
        [torch.stack([noise_level(s, R, replicas, iterations) for R in accelerations]) for s in slices]
    )  # (slice, R, [median, 95th percentile])
    R = torch.tensor(accelerations).log()
    effect = bootstrap(slope(R, noise[..., 0].log()) - 0.5)
    worst = bootstrap(slope(R, noise[..., 1].log()) - 0.5)
    g = (noise / noise[:, :1] / R.exp().sqrt()[:, None]).mean(0)
    facts = "; ".join(f"{r}: {a:.2f} / {b:.2f}" for r, (a, b) in zip(accelerations[1:], g[1:].tolist()))
    remark = (
        f"CG-SENSE. g, median / worst 5 % of the head, at R = {facts}. "
        f"In the worst 5 % the slope exceeds 1/2 by {worst.mean:.2f}."
    )
    return Verdict(decide(effect, STEEPER), effect, "slope of log noise over log R, minus 1/2", remark)


def noise_level(whole: Slice, R: int, replicas: int, iterations: int) -> Tensor:
    """Standard deviation of CG-SENSE of white noise in the head: its median and its 95th percentile over pixels."""
    rng = torch.Generator().manual_seed(R)
    A = Sense(uniform(whole.kspace.shape[-1], R), whole.maps)
    noise = torch.randn(replicas, *whole.kspace.shape[1:], dtype=whole.kspace.dtype, generator=rng)
    x = cg(A.N, A.H(noise), iterations=iterations)
    spread = x.abs().square().mean(0).sqrt()
    inside = (head(whole.image)[0] > 0) & (whole.maps[0] != 0).any(0)
    return spread[inside].quantile(torch.tensor([0.5, 0.95]))
