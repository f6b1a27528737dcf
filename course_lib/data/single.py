"""One coil that hears all places alike: the setting in which most adversarial networks were published."""

from collections.abc import Sequence

import torch

from ..ops.sense import fft2c
from .sample import Sample, undersample


class OneCoil(Sequence[Sample]):
    """The samples of a set as a single coil of sensitivity 1 would measure them: y = M (F image + noise).

    noise: standard deviation of the complex noise as a part of the 99th percentile of the image. It depends on the
    index alone, so a sample is the same at every access if that of `samples` is. The image is the same, up to its
    scale: whatever it is, the noise of the scan that it was combined from included, counts as true.
    """

    def __init__(self, samples: Sequence[Sample], noise: float = 0.02):
        self.samples, self.noise = samples, noise

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        sample = self.samples[index]
        k = fft2c(sample.image)[:, None]
        level = self.noise * float(sample.image.abs().quantile(0.99))
        noise = torch.randn(k.shape, dtype=k.dtype, generator=torch.Generator().manual_seed(index)).to(k.device)
        return undersample(k + level * noise, torch.ones_like(k), sample.mask, sample.image)
