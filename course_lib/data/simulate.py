"""Magnitude images of real anatomy -> the multi-coil k-space a scanner would have measured.

Magnitude images have no phase and are already filtered: naive k-space makes reconstruction look easier than it is
("data crime", Shimron et al., PNAS 2022). So the object is drawn on a grid twice as fine and its k-space cut; it gets
a phase, real coil sensitivities and noise with a real scan's covariance.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

SNR = (10.0, 26.0)  # `level` over noise, the range over the flip angles of the real scan
MATRIX = 224  # pixels of that scan; larger pixels hold more signal, so SNR grows as they do: 17 to 45 at 128
FILL = (0.75, 0.95)  # largest extent of the head over the field of view


@dataclass(frozen=True)
class Scanner:
    """What a real scan says about its receiver.

    modes (coil, order, order) complex: cosine series of the coil maps over the frame; covariance (coil, coil) complex
    of the noise, scaled here so that its diagonal has mean 1.
    """

    modes: Tensor
    covariance: Tensor

    def mixed(self, matrix: Tensor) -> "Scanner":
        """The scanner whose coils are `matrix` (new coil, coil) times these: signal and noise mix alike."""
        covariance = matrix @ self.covariance @ matrix.mH
        return Scanner(torch.einsum("nc,cab->nab", matrix, self.modes), covariance / covariance.diagonal().real.mean())


@dataclass(frozen=True)
class Scan:
    """A simulated volume; h = w = the size asked for.

    kspace (slice, coil, 2h, w), noisy, readout 2x oversampled; maps (coil, h, w), root sum of squares 1; image
    (slice, h, w), noise-free; covariance (coil, coil) of the noise in k-space.
    """

    kspace: Tensor
    maps: Tensor
    image: Tensor
    covariance: Tensor


def scan(slices: Tensor, scanner: Scanner, size: int, coils: int, seed: int, augment: bool) -> Scan:
    """Simulate a scan of `slices` (slice, rows, columns), magnitudes >= 0; the same seed gives the same scan.

    With `augment` also contrast, shading and shape are drawn anew; without, only the scanner's part is random: place in
    the frame, phase, coils, noise.
    """
    g = torch.Generator().manual_seed(seed)
    tissue = render(slices, frame(2 * size, head(slices), g, augment))
    magnitude = tissue
    if augment:
        magnitude = remap(tissue, g) * shading(2 * size, g)
    magnitude = magnitude / level(magnitude)
    still = magnitude * torch.polar(torch.ones(()), phase(tissue, g))
    scanner, place = scanner.mixed(mixture(len(scanner.modes), g)), coil_places(2 * size, g)
    if coils < len(scanner.modes):
        scanner = scanner.mixed(strongest(scanner.modes, place, magnitude, coils))
    maps = sensitivities(scanner.modes, place)
    maps = maps / maps.abs().square().sum(0).sqrt()
    covariance = scanner.covariance / (uniform(g, *SNR) * MATRIX / size).square()
    kspace = torch.stack([measured(maps * image) for image in still])
    image = inner(centred_ifft(measured(still)), size)
    return Scan(kspace + noise(kspace.shape, covariance, g), maps[:, ::2, ::2].contiguous(), image, covariance)


def uniform(g: Generator, low: float, high: float, *shape: int) -> Tensor:
    """Random numbers between `low` and `high`."""
    return low + (high - low) * torch.rand(shape, generator=g)


def axis(n: int) -> Tensor:
    """Places of n pixels in the frame: -1/2 at the first, 0 at n//2."""
    return torch.arange(n) / n - 0.5


def smooth(n: int, order: int, g: Generator) -> Tensor:
    """A random smooth field (n, n) with largest magnitude 1: a cosine series whose terms fall with frequency."""
    frequency = torch.arange(order, dtype=torch.float32)
    weight = 1 / (1 + frequency[:, None] ** 2 + frequency**2)
    weight[0, 0] = 0
    cosine = torch.cos(torch.pi * torch.outer(axis(n) + 0.5, frequency))
    field = cosine @ (weight * torch.randn(order, order, generator=g)) @ cosine.T
    return field / field.abs().max()


def head(slices: Tensor) -> tuple[Tensor, float]:
    """Centre (x, y) and largest extent, in pixels, of what is brighter than air in any slice (slice, rows, columns)."""
    bright = (slices.amax(0) > 0.12).float()
    places = [torch.nonzero(bright.sum(other) > 0.02 * bright.shape[other]).flatten() for other in (0, 1)]
    first, last = (torch.stack([place[end] for place in places]).float() for end in (0, -1))
    return (first + last) / 2, float((last - first).max()) + 1


def frame(n: int, where: tuple[Tensor, float], g: Generator, augment: bool) -> Tensor:
    """For each of n x n pixels the place (x, y) in the source image, in source pixels.

    The head fills `FILL` of the frame; with `augment` it is turned, mirrored, stretched and bent as well.
    """
    centre, extent = where
    place = torch.stack(torch.meshgrid(axis(n), axis(n), indexing="xy"), -1)
    if augment:
        bend = torch.stack([smooth(n, 5, g), smooth(n, 5, g)], -1)
        place = place @ affine(g, turn=0.3, stretch=0.1) + uniform(g, 0.0, 0.025) * bend
    place = place / uniform(g, *FILL) + uniform(g, -0.02, 0.02, 2)
    return centre + extent * place


def affine(g: Generator, turn: float, stretch: float) -> Tensor:
    """A random 2 x 2 matrix: a turn up to `turn` rad, stretches up to `stretch`, mirrored left to right or not."""
    angle = uniform(g, -turn, turn)
    rotation = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).reshape(2, 2)
    mirror = torch.tensor([1.0, 1.0]) if uniform(g, 0.0, 1.0) < 0.5 else torch.tensor([-1.0, 1.0])
    return rotation * (mirror * (1 + uniform(g, -stretch, stretch, 2)))


def render(slices: Tensor, place: Tensor) -> Tensor:
    """Slices (slice, rows, columns) at the places (n, n, 2), by cubic interpolation; rims fade to 0."""
    grid = (2 * place + 1) / torch.tensor([slices.shape[-1], slices.shape[-2]]) - 1
    drawn = F.grid_sample((slices * rim(slices))[None], grid[None], mode="bicubic", align_corners=False)[0]
    return drawn.clamp(min=0) * rim(drawn)


def rim(image: Tensor) -> Tensor:
    """1 inside, falling to 0 over the last six pixels: nothing is cut off sharply."""
    height, width = (torch.arange(n).minimum(n - 1 - torch.arange(n)) for n in image.shape[-2:])
    return torch.outer((height / 6).clamp(max=1), (width / 6).clamp(max=1))


def remap(tissue: Tensor, g: Generator) -> Tensor:
    """A new contrast: a random curve through six levels of intensity, rising or not; air stays dark."""
    knots = torch.tensor([0.0, 0.08, 0.25, 0.45, 0.65, 0.85, 1.5])
    knots[2:6] += uniform(g, -0.08, 0.08, 4)
    curve = uniform(g, 0.1, 1.2, 5)
    if uniform(g, 0.0, 1.0) < 0.5:
        curve = curve.sort().values
    change = uniform(g, 0.0, 1.0)
    values = knots.clone()
    values[2:] = (1 - change) * knots[2:].clamp(max=1.2) + change * curve
    above = torch.bucketize(tissue, knots[1:-1], right=True)
    low, high = knots[above], knots[above + 1]
    return values[above] + (values[above + 1] - values[above]) * ((tissue - low) / (high - low)).clamp(max=1)


def shading(n: int, g: Generator) -> Tensor:
    """What the coils' distance does to a real image: darker in the middle, and a little uneven."""
    radius = axis(n).square()[:, None] + axis(n).square()
    return torch.exp(uniform(g, 0.0, 5.0) * radius + uniform(g, 0.0, 0.3) * smooth(n, 4, g))


def phase(tissue: Tensor, g: Generator) -> Tensor:
    """Phase in rad: smooth over the frame, a ramp (echo off centre), one value per tissue, and fat near the skin."""
    n = tissue.shape[-1]
    field = uniform(g, 0.5, 2.5) * smooth(n, 5, g)
    ramp = uniform(g, -3.0, 3.0) * axis(n)[:, None] + uniform(g, -3.0, 3.0) * axis(n) + uniform(g, -torch.pi, torch.pi)
    inside = (tissue > 0.12).float()
    for width in ((n // 16 * 2 + 1, 1), (1, n // 16 * 2 + 1)):
        inside = F.avg_pool2d(inside, width, stride=1, padding=(width[0] // 2, width[1] // 2))
    fat = torch.sigmoid((0.7 - inside) / 0.04) * uniform(g, -torch.pi, torch.pi)
    return field + ramp + uniform(g, -0.8, 0.8) * remap(tissue, g) + fat * (tissue / 0.4).clamp(max=1)


def level(magnitude: Tensor) -> Tensor:
    """The brightness of tissue: the median of what is brighter than a fifth of the brightest percent."""
    bright = magnitude > 0.2 * magnitude.flatten().kthvalue(int(0.99 * magnitude.numel())).values
    return magnitude[bright].median()


# ---------------------------------------------------------------- the scanner: coils, k-space, noise
def coil_places(n: int, g: Generator) -> Tensor:
    """For each of n x n pixels its place (x, y) among the real coils: turned, shifted, stretched, perhaps mirrored."""
    place = torch.stack(torch.meshgrid(axis(n), axis(n), indexing="xy"), -1)
    return place @ affine(g, turn=0.6, stretch=0.15) + uniform(g, -0.06, 0.06, 2)


def sensitivities(modes: Tensor, place: Tensor) -> Tensor:
    """Coil maps (coil, rows, columns) at the places (rows, columns, 2): the cosine series of `modes` evaluated."""
    frequency = torch.pi * torch.arange(modes.shape[-1])
    along_x, along_y = (torch.cos((at[..., None] + 0.5) * frequency).flatten(0, 1) for at in place.unbind(-1))
    real, imag = (((along_y @ part) * along_x).sum(-1) for part in (modes.real, modes.imag))
    return torch.complex(real, imag).reshape(len(modes), *place.shape[:2])


def mixture(coils: int, g: Generator) -> Tensor:
    """A random matrix near the identity (coil, coil): other coils of the same kind."""
    return torch.eye(coils) + 0.3 / coils**0.5 * torch.randn(coils, coils, generator=g, dtype=torch.complex64)


def strongest(modes: Tensor, place: Tensor, magnitude: Tensor, coils: int) -> Tensor:
    """The matrix (coils, coil) of the virtual coils that keep most of the signal (principal components)."""
    coarse = (..., slice(None, None, 4), slice(None, None, 4))
    maps = sensitivities(modes, place.movedim(-1, 0)[coarse].movedim(0, -1))
    seen = (maps * magnitude.square().mean(0).sqrt()[coarse]).flatten(1)
    return torch.linalg.eigh(seen @ seen.mH).eigenvectors[:, -coils:].flip(1).mH


def measured(fine: Tensor) -> Tensor:
    """K-space (..., 2n, n) that a scanner takes of an object (..., 2n, 2n) drawn twice as fine as it can resolve.

    The readout (rows) is 2x oversampled: its field of view is twice the frame, and empty outside.
    """
    n = fine.shape[-1] // 2
    columns = cut(fft(fine, -1), n, -1)
    return cut(fft(widened(columns), -2), 2 * n, -2) / 2


def widened(image: Tensor) -> Tensor:
    """Twice the field of view along the readout (rows), empty outside."""
    rows = image.shape[-2]
    return F.pad(image, (0, 0, rows - rows // 2, rows // 2))


def oversampled(kspace: Tensor) -> Tensor:
    """K-space (..., n, w) -> (..., 2n, w) of the same object in twice the field of view along the readout."""
    rows = torch.fft.fftshift(torch.fft.ifft(torch.fft.ifftshift(kspace, -2), dim=-2, norm="ortho"), -2)
    return fft(widened(rows), -2)


def fft(x: Tensor, dim: int) -> Tensor:
    """Centred orthonormal Fourier transform along one axis."""
    return torch.fft.fftshift(torch.fft.fft(torch.fft.ifftshift(x, dim), dim=dim, norm="ortho"), dim)


def centred_ifft(kspace: Tensor) -> Tensor:
    """Image of centred k-space, orthonormal, over the last two axes."""
    axes = (-2, -1)
    return torch.fft.fftshift(torch.fft.ifft2(torch.fft.ifftshift(kspace, axes), norm="ortho"), axes)


def inner(image: Tensor, n: int) -> Tensor:
    """The frame: the middle n rows of an image whose readout is oversampled."""
    return cut(image, n, -2).contiguous()


def cut(x: Tensor, n: int, dim: int) -> Tensor:
    """The middle n of an axis; the centre m//2 becomes n//2."""
    return x.narrow(dim, x.shape[dim] // 2 - n // 2, n)


def noise(shape: torch.Size, covariance: Tensor, g: Generator) -> Tensor:
    """Complex Gaussian noise (slice, coil, rows, columns): white in k-space, `covariance` between the coils."""
    white = torch.randn(shape, generator=g, dtype=torch.complex64)
    return torch.einsum("nc,scyx->snyx", torch.linalg.cholesky(covariance), white)
