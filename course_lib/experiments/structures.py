"""Review, section 2: do pixel losses lose small structures, and do feature losses help?"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from .. import data, metrics
from ..blocks import Encoder
from ..data.sample import Sample
from ..losses import feature, l1, mse, ssim
from ..methods.base import Reconstructor, card
from ..profiles import Profile
from ..sampling import protocol
from ..scores import bootstrap
from ..shapes import Image
from . import scans
from .base import Verdict, decide, experiment
from .lesions import Lesioned, discs, recovered
from .statistics import words
from .training import taught

Loss = Callable[[Image, Image], Tensor]
RADII = (1.0, 2.0, 4.0)  # pixels
PALER = 0.05  # margin: a twentieth of a lesion's contrast; this and the next fixed before anything was measured
SHARPER = 0.01  # margin in HFEN
WEIGHT = 0.1  # of the features beside l1: for zero-filled images both parts are then about as large
PIXEL = ("l2", "l1")


def losses() -> dict[str, Loss]:
    """The two losses of pixels, and two that look at more than one."""
    features = feature(Encoder())
    return {"l2": mse, "l1": l1, "SSIM": ssim, "l1 + features": lambda x, ref: l1(x, ref) + WEIGHT * features(x, ref)}


def network(loss: Loss, where: Profile, steps: int) -> Reconstructor:
    """A residual U-Net that was trained with this loss on scans with lesions."""
    torch.manual_seed(0)
    model = card("residual_unet").build(**card("residual_unet").small, loss=loss)
    training = data.slices("train", protocol(4), where.name, training=True, strip=where.strip)
    return taught(model, Lesioned(training, RADII), steps)


@experiment(13, "2", "The l1 and l2 losses are not good at representing small structures.")
def small_structures(where: Profile) -> Verdict:
    steps, count = {"ci": (20, 4), "cpu": (500, 12), "gpu": (2000, 12)}[where.name]
    test = scans.few("test", where, count)
    found, psnr = {}, {}
    for name, loss in losses().items():
        model = network(loss, where, steps)
        found[name], psnr[name] = contrast(model, test), float(scans.psnr(model, test).mean())
    return paler(found, psnr)


def contrast(model: Reconstructor, samples: list[Sample]) -> Float[Tensor, "slice radius"]:
    """Part of the lesions' contrast that comes back, in other places in each slice."""
    rows = [[recovered(model, s, discs(s.image, r, i)) for r in RADII] for i, s in enumerate(samples)]
    return torch.tensor(rows, dtype=torch.float64)


def paler(found: dict[str, Float[Tensor, "slice radius"]], psnr: dict[str, float]) -> Verdict:
    """Contrast of the smallest lesions, mean of the other losses minus mean of the pixel losses, slice by slice."""
    pixel = torch.stack([f for name, f in found.items() if name in PIXEL]).mean(0)
    other = torch.stack([f for name, f in found.items() if name not in PIXEL]).mean(0)
    effect = bootstrap((other - pixel)[:, 0])
    interaction = bootstrap((other - pixel)[:, 0] - (other - pixel)[:, -1])
    levels = "; ".join(
        f"{name} " + " / ".join(f"{v:.2f}" for v in f.mean(0).tolist()) + f" at {psnr[name]:.2f} dB"
        for name, f in found.items()
    )
    small = bootstrap(pixel[:, -1] - pixel[:, 0])
    radii = ", ".join(f"{r:g}" for r in RADII)
    remark = (
        f"Residual U-Net, lesions in training too. Contrast that comes back at radius {radii} pixels, and PSNR: "
        f"{levels}. With pixel losses the largest get {words(small)} more of theirs than the smallest; the others "
        f"help the smallest more than the largest by {words(interaction)}."
    )
    return Verdict(decide(effect, PALER), effect, "contrast of 1-pixel lesions, other minus pixel losses", remark)


@experiment(71, "2", "Feature losses are a promising alternative to pixel losses.")
def feature_losses(where: Profile) -> Verdict:
    steps, count = {"ci": (20, 4), "cpu": (700, 12), "gpu": (2000, 12)}[where.name]
    test, chosen = scans.few("test", where, count), losses()
    hfen, psnr, back = [], [], []
    for name in ("l1", "l1 + features"):
        model = network(chosen[name], where, steps)
        hfen.append(sharpness(model, test))
        psnr.append(scans.psnr(model, test))
        back.append(contrast(model, test))
    return sharper(torch.stack(hfen), torch.stack(psnr), torch.stack(back))


def sharpness(model: Reconstructor, samples: list[Sample]) -> Tensor:
    """HFEN of every slice: the error at edges; lower is better."""
    with torch.no_grad():
        return torch.cat([metrics.hfen(model(s.kspace, s.A), s.image) for s in samples])


def sharper(
    hfen: Float[Tensor, "loss slice"], psnr: Float[Tensor, "loss slice"], back: Float[Tensor, "loss slice radius"]
) -> Verdict:
    """HFEN of l1 minus HFEN of l1 + features: positive when the edges are better with features."""
    effect = bootstrap(hfen[0] - hfen[1])
    cost, gain = bootstrap(psnr[1] - psnr[0]), bootstrap(back[1, :, 0] - back[0, :, 0])
    remark = (
        f"HFEN of l1 {float(hfen[0].mean()):.3f}. With features: PSNR {words(cost)} dB, contrast of 1-pixel lesions "
        f"{words(gain)}. The encoder is random and frozen, not VGG; one weight, {WEIGHT:g}, one seed."
    )
    return Verdict(decide(effect, SHARPER), effect, "HFEN, l1 minus l1 with features", remark)
