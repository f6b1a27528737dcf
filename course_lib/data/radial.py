"""Radial scans for every method: two real ones, and the course's simulated subjects measured along spokes.

Data and model share the density compensation W, as in GRASP (Feng et al., Magn. Reson. Med. 2014): the data are
sqrt(W) y and the model is sqrt(W) F S. Then A^H y is the gridding reconstruction, ||A|| is near 1, and conjugate
gradients need few iterations (Pruessmann et al., Magn. Reson. Med. 2001). Price: the noise is no longer white.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import pi, sqrt

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from ..errors import CourseError
from ..ops.compensation import ramp
from ..ops.radial import Radial, RadialSense
from ..ops.sense import fft2c, ifft2c
from ..sampling import golden_angle, uniform
from ..shapes import Image, Maps
from ..solve import cg
from ..solve.calibrate import compress, espirit, noise_covariance, whiten
from .dataset import Slices
from .embedded import arrays, root
from .sample import scale

READOUT = 2  # samples of a spoke over pixels: the field of view along a spoke is twice the image
ENDS = 24  # samples at each end of a spoke, where noise is nearly all
FULL = 6  # iterations of conjugate gradients for the image of all spokes: more fit the noise
Trajectory = Float[Tensor, "spokes samples 2"]
Data = Complex[Tensor, "batch coil spokes samples"]


@dataclass(frozen=True)
class RadialSample:
    """kspace (batch, coil, spokes, samples) is sqrt(W) y over its `scale`; image (batch, height, width) in its units.

    A: RadialSense with the same W and with maps that hold the smooth phase of the object.
    """

    kspace: Tensor
    A: RadialSense
    image: Tensor

    def to(self, device: torch.device | str) -> "RadialSample":
        """The same sample on another device."""
        return RadialSample(self.kspace.to(device), self.A.to(device), self.image.to(device))

    def __len__(self) -> int:
        return len(self.kspace)


def simulated(split: str, spokes: int, profile: str | None = None, limit: int | None = None) -> list[RadialSample]:
    """Slices of a split (train, val, test) measured along golden-angle spokes; at most `limit`, evenly spread.

    The Fourier transform of each noisy coil image is read off at the spokes, so noise and coils are those of the
    simulated scanner (data/simulate.py), and the truth is free of noise. What stays easier than life: between its grid
    points k-space is that of the pixels, not of the finer object, and densely read noise repeats itself.
    """
    slices = Slices(root(profile) / split, lambda width, seed: uniform(width, 1))
    picked = torch.linspace(0, len(slices) - 1, min(limit or len(slices), len(slices))).long().tolist()
    return [along(slices, i, spokes) for i in dict.fromkeys(picked)]


def along(slices: Slices, index: int, spokes: int) -> RadialSample:
    """A fully sampled slice measured along golden-angle spokes."""
    full = slices.prepared(index)
    shape = (full.kspace.shape[-2], full.kspace.shape[-1])
    radial = golden(spokes, shape)
    return prepared(radial(ifft2c(full.kspace)), radial, full.maps, full.image)


@lru_cache(maxsize=8)
def golden(spokes: int, shape: tuple[int, int]) -> Radial:
    """Golden-angle spokes for images of a size; slices share it, and what it prepares."""
    return weighted(golden_angle(spokes, READOUT * max(shape)), shape)


def brain(spokes: int = 64, size: int = 256, coils: int | None = None) -> RadialSample:
    """The real 32-coil brain (T2-weighted, 64 evenly turned spokes): every (64 / spokes)-th spoke of it.

    size: keep the centre of k-space, for `size`^2 larger pixels. coils: compress to so many. The noise is whitened.
    Maps and image come from all 64 spokes, as from a calibration scan; the image, CG-SENSE, shares its noise with y.
    """
    file = arrays("radial")
    trajectory = torch.from_numpy(file["brain_trajectory"]).double()
    if spokes < 1 or len(trajectory) % spokes:
        raise CourseError("brain: spokes", f"a divisor of {len(trajectory)}", f"{spokes}", "8, 16, 32 or 64")
    y, trajectory = cut(_white(_complex(file, "brain")[None]), trajectory, size)
    y = compress(y, coils)[0] if coils else y
    return _real(y, trajectory, slice(None, None, len(trajectory) // spokes), size)


def golden_scan(angle: int, spokes: int = 34, size: int = 256) -> RadialSample:
    """The real golden-angle brain, 5 coils, at flip angle number `angle` (0, 1, 2: 1, 9, 17 degrees): first `spokes`.

    size, noise, maps and image as for `brain`; 34 spokes are less than full, so the image is a weak reference.
    """
    file = arrays("radial")
    trajectory = torch.from_numpy(file["golden_trajectory"]).double()[angle]
    if not 1 <= spokes <= len(trajectory):
        raise CourseError("golden_scan: spokes", f"1 to {len(trajectory)}", f"{spokes}")
    y, trajectory = cut(_white(_complex(file, "golden")[angle][None]), trajectory, size)
    return _real(y, trajectory, slice(spokes), size)


def weighted(trajectory: Trajectory, shape: tuple[int, int]) -> Radial:
    """The operator with the density compensation of spokes in it."""
    return Radial(trajectory, shape, ramp(trajectory, shape))


def cut(y: Data, trajectory: Trajectory, size: int) -> tuple[Tensor, Tensor]:
    """The samples at the centre of each spoke: the same field of view in `size` pixels; image values stay."""
    samples = trajectory.shape[-2]
    if not 1 <= size <= samples // READOUT:
        raise CourseError("radial scan: size", f"at most {samples // READOUT}", f"{size}", "a smaller size")
    kept, change = READOUT * size, samples // READOUT / size
    middle = slice(samples // 2 - kept // 2, samples // 2 - kept // 2 + kept)
    return y[..., middle] / change, (trajectory[..., middle, :] * change).clamp(-0.5, 0.5)


def prepared(data: Data, radial: Radial, maps: Maps, image: Image) -> RadialSample:
    """Weighted data (sqrt(W) y) normalised as Cartesian ones are: divided by `scale`, smooth phase into the maps."""
    size = scale(data, RadialSense(radial, maps)).reshape(-1, 1, 1)
    phase = smooth_phase(data, radial, maps)
    A = RadialSense(radial, maps * phase.unsqueeze(1))
    return RadialSample(data / size.unsqueeze(1), A, image * phase.conj() / size)


def smooth_phase(data: Data, radial: Radial, maps: Maps) -> Image:
    """Unit numbers (batch, height, width): the phase of what the densely sampled centre shows."""
    low = RadialSense(radial, maps).H(data * window(radial))
    return torch.polar(torch.ones_like(low.real), low.angle())


def window(radial: Radial) -> Float[Tensor, "*frames spokes samples"]:
    """Hann window over the disc in which the spokes are at most one grid step apart: radius spokes / pi."""
    radius = min(radial.trajectory.shape[-3] / pi / max(radial.shape), 0.5)
    part = (radial.trajectory.norm(dim=-1) / radius).clamp(max=1)
    return (torch.cos(pi * part) / 2 + 0.5).float()


def calibrated(y: Data, radial: Radial) -> Maps:
    """ESPIRiT maps from the coil images of the gridded data, whose centre of k-space is densely sampled."""
    inside = int(sqrt(2) * radial.trajectory.shape[-3] / pi)  # the square in the disc of `window`
    return espirit(fft2c(radial.H(y)), min(24, inside))


def _real(y: Data, trajectory: Trajectory, kept: slice, size: int) -> RadialSample:
    """Maps and image from all spokes, data from the `kept` ones."""
    whole = weighted(trajectory, (size, size))
    data = _root(whole) * y
    maps = calibrated(data, whole)
    A = RadialSense(whole, maps)
    image = cg(A.N, A.H(data), iterations=FULL)
    part = weighted(trajectory[kept], (size, size))
    return prepared(_root(part) * y[:, :, kept], part, maps, image)


def _root(radial: Radial) -> Tensor:
    assert radial.weights is not None
    return radial.weights.sqrt().float()


def _white(y: Data) -> Data:
    """Noise of variance 1, equal and independent in all coils, as the ends of the spokes show it."""
    ends = torch.cat([y[..., :ENDS], y[..., -ENDS:]], -1)
    return whiten(y, noise_covariance(ends))


def _complex(file: dict[str, np.ndarray], name: str) -> Tensor:
    return torch.complex(*torch.from_numpy(file[name].astype(np.float32) * np.float32(file[f"{name}_step"])))
