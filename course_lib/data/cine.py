"""Films as samples: an extra axis for time, or two for velocity encoding and time; along lines or along spokes.

kspace (1, coil, *extra, height, width) with lines of its own in each frame, or (1, coil, time, spokes, samples) with
spokes of its own. Phantoms of known truth: `moving`; one real film of a heart is kept to test on.
"""

import math
from dataclasses import dataclass

import torch

from ..ops.compensation import ramp
from ..ops.radial import Radial, RadialSense
from ..ops.sense import Coils, Sense, fft2c
from ..sampling import golden_angle, kt
from ..shapes import Image, KSpace
from . import simulate
from .embedded import anatomy
from .phantom import coil_maps
from .phase import shared
from .radial import READOUT, window
from .sample import Sample, scale, undersample

COILS = 4
NOISE = 0.02  # standard deviation of the complex noise in k-space over the image's 99th percentile
CENTRE = 6  # central lines in every frame
TINY = 7  # of the tiny golden angle: 23.6 degrees from one spoke to the next
BEAT = (90.0, 90.0, 150.0)  # row, column and width of the square of the real film that holds the heart


@dataclass(frozen=True)
class RadialFilm(Sample):
    """kspace (1, coil, time, spokes, samples) is sqrt(W) y over its `scale`, W in `radial` too; mask is 1 everywhere.

    maps (1, coil, 1, height, width) hold the smooth phase of the film, as in `radial.RadialSample`.
    """

    radial: Radial

    @property
    def A(self) -> RadialSense:
        return RadialSense(self.radial, self.maps)

    def to(self, device: torch.device | str) -> "RadialFilm":
        kspace, mask, maps, image = (part.to(device) for part in self._parts())
        return RadialFilm(kspace, mask, maps, image, self.radial.to(device))


def lines(
    film: Image, acceleration: float, seed: int, coils: int = COILS, noise: float = NOISE, flat: bool = True
) -> Sample:
    """A film (1, *extra, height, width) measured along lines of `kt`, other ones in each frame.

    Both velocity encodings of a frame have the same lines. flat=False leaves the object's own phase in the image.
    """
    g = torch.Generator().manual_seed(seed)
    mask = kt(film.shape[-1], film.shape[-3], acceleration, CENTRE, seed=seed)
    mask = mask.reshape(1, 1, *(1 for _ in film.shape[1:-3]), *mask.shape[2:])
    maps = coil_maps(coils, *film.shape[-2:]).reshape(1, coils, *(1 for _ in film.shape[1:-2]), *film.shape[-2:])
    kspace = noisy(fft2c(Coils(maps)(film)), film, noise, g)
    if flat:
        return undersample(kspace, maps, mask, film)
    size = scale(kspace * mask, Sense(mask, maps)).item()
    return Sample(kspace * mask / size, mask, maps, film / size)


def spokes(
    film: Image, count: int, seed: int, coils: int = COILS, noise: float = NOISE, tiny: int = TINY
) -> RadialFilm:
    """A film (1, time, height, width) measured along `count` tiny-golden-angle spokes a frame.

    The spokes go on turning from frame to frame, and from one seed to the next.
    """
    g = torch.Generator().manual_seed(seed)
    frames, shape = film.shape[1], (film.shape[2], film.shape[3])
    first = seed % 1000 * frames * count
    turning = golden_angle(first + frames * count, READOUT * max(shape), tiny)[first:].unflatten(0, (frames, count))
    radial = Radial(turning, shape, ramp(turning, shape))
    maps = coil_maps(coils, *shape).unsqueeze(2)
    density = ramp(turning, shape).sqrt().float()
    data = density * noisy(Radial(turning, shape)(Coils(maps)(film)), film, noise, g)
    A = RadialSense(radial, maps)
    size, low = scale(data, A).item(), shared(A.H(data * window(radial)))
    phase = torch.polar(torch.ones_like(low.real), low.angle())
    mask = torch.ones(1, 1, *data.shape[2:])
    return RadialFilm(data / size, mask, maps * phase.unsqueeze(1), film * phase.conj() / size, radial)


def noisy(kspace: KSpace, film: Image, noise: float, g: torch.Generator) -> KSpace:
    """White noise in every coil, `noise` times the brightness of the film."""
    bright = film.abs().flatten().kthvalue(math.ceil(0.99 * film.numel())).values
    return kspace + noise * bright * torch.randn(kspace.shape, dtype=kspace.dtype, generator=g)


def real_film(seed: int, size: int = 48, frames: int = 8) -> Image:
    """The real heart, four-chamber view, one beat: (1, frames, size, size), noise-free, never trained on.

    Anatomy and motion are real; the phase is simulated from the seed, and so is the scan. Drawn twice as fine as a
    pixel, its k-space cut, as in `simulate`. data/PROVENANCE.md names source and licence.
    """
    g = torch.Generator().manual_seed(seed)
    beat = anatomy("heart")
    chosen = beat[torch.linspace(0, len(beat) - len(beat) / frames, frames).round().long()]
    row, column, width = BEAT
    at = simulate.axis(2 * size)
    place = torch.stack(torch.meshgrid(at, at, indexing="xy"), -1) * width + torch.tensor([column, row])
    tissue = simulate.render(chosen, place)
    magnitude = tissue / simulate.level(tissue)
    still = torch.polar(magnitude, simulate.phase(tissue, g))
    return simulate.inner(simulate.centred_ifft(simulate.measured(still)), size)[None]
