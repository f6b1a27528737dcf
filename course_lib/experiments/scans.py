"""The scans that experiments measure on: slices of the data in use, changed as a question needs."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from .. import data
from ..data.dataset import Slice
from ..data.embedded import real_scan, scanner
from ..data.sample import Sample
from ..data.simulate import cut
from ..evaluate import evaluate, tune
from ..methods.base import Reconstructor, card
from ..ops import Coils, fft2c, ifft2c
from ..profiles import Profile
from ..sampling import protocol
from ..sampling.protocol import Draw
from ..solve.calibrate import compress, espirit, mix, whiten

LAMBDAS = [10 ** (-4 + i / 3) for i in range(10)]  # 1e-4 ... 1e-1


def few(split: str, where: Profile, count: int, mask: Draw | None = None) -> list[Sample]:
    """At most `count` slices of a split, spread over its volumes; fastMRI's random mask at R = 4 unless told."""
    slices = data.slices(split, mask or protocol(4), where.name)
    return [slices[i] for i in _spread(len(slices), count)]


def full(split: str, where: Profile, count: int, size: tuple[int, int] | None = None) -> list[Slice]:
    """The same slices before a mask is drawn; `size` keeps the centre of k-space."""
    slices = data.slices(split, protocol(4), where.name, size=size)
    return [slices.prepared(i) for i in _spread(len(slices), count)]


def scanned_head(size: int, coils: int, angle: int = -1) -> Slice:
    """One flip angle of the real scan at any size: noise whitened, so that its standard deviation is 1 in every coil.

    All angles have the same virtual coils. The scan is read from the arrays that are shipped, no data set need be made.
    size: at most 224, coils: at most 13.
    """
    k = cut(cut(real_scan()[0], size, -1), size, -2)
    k = whiten(k, scanner().covariance[None].expand(len(k), -1, -1))
    k = mix(compress(k[-1:], coils)[1], k[angle][None])
    maps = espirit(k)
    return Slice(k, maps, Coils(maps).H(ifft2c(k)), (0, size), None)


def one_coil(whole: Slice, mask: Tensor, noise: float = 0.02, seed: int = 0) -> Sample:
    """The slice as a single coil that hears all places alike would see it.

    noise: standard deviation of the complex noise as a part of the 99th percentile of the image.
    """
    k = fft2c(whole.image)[:, None]
    k = k + noise * float(whole.image.abs().quantile(0.99)) * noise_like(k, seed)
    return data.undersample(k, torch.ones_like(k), mask, whole.image)


def noisier(whole: Slice, factor: float | int, seed: int = 0) -> Slice:
    """The slice with `factor` times its noise, white in all coils; the noise is read in the corners of k-space."""
    k = whole.kspace
    added = (corners(k) * (factor**2 - 1)).sqrt()[:, None, None, None] * noise_like(k, seed)
    return replace(whole, kspace=k + added)


def corners(k: Tensor) -> Tensor:
    """Energy of a sample in two corners of k-space, mean over coils, (batch,): hardly anything but noise."""
    rows, columns = (max(1, n // 8) for n in k.shape[-2:])
    return torch.cat([k[..., :rows, :columns], k[..., -rows:, -columns:]], -1).abs().square().mean((-3, -2, -1))


def tuned(name: str, samples: Sequence[Sample], values: Sequence[float] = LAMBDAS) -> Reconstructor:
    """The classical method `name` with the lambda that is best on `samples`."""
    return card(name).build(lam=tune(lambda lam: card(name).build(lam=lam), samples, values))


def over_the_best(model: Reconstructor, others: Sequence[Reconstructor], samples: Sequence[Sample]) -> Tensor:
    """PSNR of `model` minus that of the best of the others, slice by slice."""
    rivals = torch.stack([psnr(other, samples) for other in others])
    return psnr(model, samples) - rivals.amax(0)


def psnr(model: Reconstructor, samples: Sequence[Sample]) -> Tensor:
    """PSNR in dB of every slice."""
    return evaluate(model, samples).values["psnr"]


def _spread(length: int, count: int) -> list[int]:
    return torch.linspace(0, length - 1, min(length, count)).long().tolist()


def noise_like(k: Tensor, seed: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(k.shape, dtype=k.dtype, generator=rng).to(k.device)
