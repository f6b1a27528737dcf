"""Films whose truth is known: a beating heart of known volume, and vessels of known velocity and flow.

Everything is drawn four times finer than a pixel and averaged, so that a pixel on a border belongs to both sides.
Texture and shading everywhere: a phantom of flat areas would flatter total variation. Units: cm, s, mL.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Generator, Tensor
from torch.nn.functional import avg_pool2d

from ..clinical import volume
from .simulate import smooth, uniform

FINE = 4  # sub-pixels along a side of a pixel
CHEST, NECK = 20.0, 12.0  # field of view in cm: a child's chest, and vessels close to the skin
VENC = 150.0  # cm/s


@dataclass(frozen=True)
class Heart:
    """One heartbeat of a left ventricle in its short axis.

    film (1, time, height, width); area (time,) of the blood in cm^2; length (time,) of the long axis in cm, known from
    another view; region (height, width): 1 well inside the outer wall, which stands still; pixel: width of one in cm.
    """

    film: Complex[Tensor, "1 time height width"]
    area: Float[Tensor, " time"]
    length: Float[Tensor, " time"]
    region: Float[Tensor, "height width"]
    pixel: float

    @property
    def volume(self) -> Float[Tensor, " time"]:
        """In mL."""
        return volume(self.area, self.length)


@dataclass(frozen=True)
class Vessels:
    """Laminar flow through round vessels over a heartbeat, as a reference and a velocity-encoded image.

    film (1, 2, time, height, width), reference first; velocity (time, height, width) in cm/s, 0 in tissue; part
    (vessel, height, width): how much of a pixel lies in a vessel; radius (vessel,) in cm; flow (vessel, time) in mL/s,
    half of the velocity in the middle times pi radius^2; venc in cm/s; pixel: width of one in cm.
    """

    film: Complex[Tensor, "1 2 time height width"]
    velocity: Float[Tensor, "time height width"]
    part: Float[Tensor, "vessel height width"]
    radius: Float[Tensor, " vessel"]
    flow: Float[Tensor, "vessel time"]
    venc: float
    pixel: float


def heart(seed: int, size: int = 48, frames: int = 8, contraction: float | None = None) -> Heart:
    """A heart in its chest. contraction: how much the radii shorten, 0.1 to 0.4; drawn from the seed without it."""
    g = torch.Generator().manual_seed(seed)
    n, pixel = FINE * size, CHEST / size
    beat = squeeze(torch.arange(frames) / frames)
    shortened = 1 - (float(uniform(g, 0.1, 0.4)) if contraction is None else contraction) * beat
    centre, turn = uniform(g, -1.2, 1.2, 2) + torch.tensor([0.0, 1.0]), uniform(g, -0.4, 0.4)
    radii = uniform(g, 1.7, 2.5) * torch.stack([torch.ones(()), uniform(g, 0.85, 1.1)])
    outer = radii + uniform(g, 0.6, 0.9)
    right = torch.tensor([0.0, -1.0]) * (outer[1] + 0.9)
    body, static = chest(n, g)
    blood, muscle = uniform(g, 0.85, 1.0), uniform(g, 0.25, 0.4)
    film = []
    for s in shortened.tolist():
        x = paint(static, within(n, CHEST, centre + right, outer * torch.tensor([1.0, 0.75]) * s**0.5, turn), blood)
        x = paint(x, within(n, CHEST, centre, outer, turn), muscle)
        film.append(paint(x, within(n, CHEST, centre, radii * s, turn), blood))
    magnitude = torch.stack(film) * body * textured(n, g)
    return Heart(
        film=(coarse(magnitude) * turned(size, g))[None],
        area=math.pi * radii.prod() * shortened.square(),
        length=uniform(g, 6.0, 8.0) * (1 - 0.3 * (1 - shortened)),
        region=(coarse(within(n, CHEST, centre, outer * 0.97, turn)) > 0.99).float(),
        pixel=pixel,
    )


def vessels(seed: int, size: int = 48, frames: int = 8, count: int = 3, peak: float = 0.9) -> Vessels:
    """`count` vessels, some of them against the others. peak: the largest velocity, as a part of venc."""
    g = torch.Generator().manual_seed(seed)
    n, pixel = FINE * size, NECK / size
    tissue = neck(n, g)
    angle = 2 * math.pi * torch.arange(count) / count + uniform(g, 0.0, 2 * math.pi)
    centres = torch.stack([angle.sin(), angle.cos()], 1) * uniform(g, 2.0, 2.8) + uniform(g, -0.3, 0.3, count, 2)
    radius = uniform(g, 0.6, 1.2, count)
    signs = torch.where(torch.rand(count, generator=g) < 0.35, -1.0, 1.0)
    middle = (signs * uniform(g, 0.35, 1.0, count) * peak * VENC)[:, None] * torch.stack(
        [pulse(frames, g) for _ in range(count)]
    )
    magnitude, speed, parts = tissue.expand(frames, n, n).clone(), torch.zeros(frames, n, n), []
    for centre, r, v in zip(centres, radius, middle):
        profile = laminar(n, NECK, centre, r)
        inside = (profile > 0).float()
        inflow = (0.75 + 0.25 * v.abs() / (peak * VENC))[:, None, None]
        magnitude, speed = magnitude * (1 - inside) + inflow * inside, speed + v[:, None, None] * profile
        parts.append(coarse(inside))
    still = turned(size, g)
    encoded = coarse(torch.polar(magnitude, math.pi / VENC * speed))
    return Vessels(
        film=(torch.stack([coarse(magnitude) + 0j, encoded]) * still)[None],
        velocity=coarse(speed),
        part=torch.stack(parts),
        radius=radius,
        flow=math.pi * radius.square()[:, None] * middle / 2,
        venc=VENC,
        pixel=pixel,
    )


def chest(n: int, g: Generator) -> tuple[Tensor, Tensor]:
    """1 inside the body, and everything in it but the heart: lungs, a liver, vessels; each (n, n)."""
    radii = uniform(g, 0.84, 0.95, 2) * CHEST / 2
    body = within(n, CHEST, torch.zeros(2), radii)
    static = uniform(g, 0.5, 0.8) * body
    for side in (-1.0, 1.0):
        place = torch.tensor([-0.5, side * 0.42]) * radii + uniform(g, -0.3, 0.3, 2)
        static = paint(static, within(n, CHEST, place, radii * torch.tensor([0.62, 0.4])), uniform(g, 0.05, 0.2))
    static = paint(static, within(n, CHEST, torch.tensor([0.62, -0.3]) * radii, radii * 0.33), uniform(g, 0.35, 0.7))
    for _ in range(4):
        spot = within(n, CHEST, uniform(g, -0.6, 0.6, 2) * radii, uniform(g, 0.25, 0.6, 2))
        static = paint(static, spot, uniform(g, 0.5, 1.0))
    return body, static


def neck(n: int, g: Generator) -> Tensor:
    """Still tissue around vessels, (n, n)."""
    body = within(n, NECK, torch.zeros(2), uniform(g, 0.8, 0.94, 2) * NECK / 2)
    tissue = uniform(g, 0.4, 0.8) * body
    for _ in range(6):
        spot = within(n, NECK, uniform(g, -4.0, 4.0, 2), uniform(g, 0.4, 1.6, 2), uniform(g, 0.0, 3.0))
        tissue = paint(tissue, spot, uniform(g, 0.15, 0.9))
    return tissue * body * textured(n, g)


def squeeze(time: Tensor) -> Tensor:
    """How far the ventricle is contracted, 0 to 1, at times 0 to 1 of a beat: a quick systole, a slower filling."""
    return (1 - torch.cos(2 * math.pi * time**0.75)) / 2


def pulse(frames: int, g: Generator) -> Tensor:
    """Velocity over a beat, at most 1: a quick rise and a slow fall on a constant part; a vein has hardly any pulse."""
    steady = uniform(g, 0.1, 0.9)
    time = (torch.arange(frames) / frames - uniform(g, 0.0, 1.0)) % 1
    return steady + (1 - steady) * squeeze(time)


def places(n: int, view: float) -> tuple[Tensor, Tensor]:
    """Rows (n, 1) and columns (1, n) of the sub-pixels' middles in cm; 0 in the middle of pixel size // 2."""
    at = (torch.arange(n) - n // 2 - (FINE - 1) / 2) * (view / n)
    return at[:, None], at[None]


def within(n: int, view: float, centre: Tensor, radii: Tensor, turn: Tensor | float = 0.0) -> Tensor:
    """1 inside an ellipse, (n, n); centre and radii (rows, columns) in cm, turned by `turn` rad."""
    rows, columns = (at - c for at, c in zip(places(n, view), centre))
    cos, sin = math.cos(turn), math.sin(turn)
    along, across = cos * rows + sin * columns, cos * columns - sin * rows
    return ((along / radii[0]).square() + (across / radii[1]).square() < 1).float()


def laminar(n: int, view: float, centre: Tensor, radius: Tensor) -> Tensor:
    """Poiseuille's parabola: 1 in the middle of a vessel, 0 at its wall and outside, (n, n)."""
    rows, columns = (at - c for at, c in zip(places(n, view), centre))
    return (1 - (rows.square() + columns.square()) / radius**2).clamp_min(0)


def paint(image: Tensor, inside: Tensor, value: Tensor) -> Tensor:
    """`value` where `inside` is 1."""
    return image * (1 - inside) + value * inside


def textured(n: int, g: Generator) -> Tensor:
    """Brightness (n, n) around 1: shading across the body, coarse and fine structure."""
    structure = uniform(g, 0.05, 0.12) * smooth(n, 8, g) + uniform(g, 0.15, 0.3) * smooth(n, 40, g)
    return (1 + structure) * torch.exp(uniform(g, 0.1, 0.4) * smooth(n, 3, g))


def turned(size: int, g: Generator) -> Tensor:
    """A unit number for each pixel (size, size): the phase of a real scan, smooth and strong."""
    ramp = uniform(g, -2.0, 2.0) * torch.linspace(-1, 1, size)[:, None] + uniform(g, -math.pi, math.pi)
    return torch.polar(torch.ones(()), uniform(g, 0.5, 1.5) * smooth(size, 4, g) + ramp)


def coarse(x: Tensor) -> Tensor:
    """Pixels (..., height, width): means of FINE x FINE sub-pixels."""
    if x.is_complex():
        return torch.complex(coarse(x.real), coarse(x.imag))
    n = x.shape[-1] // FINE
    return avg_pool2d(x.reshape(-1, 1, *x.shape[-2:]), FINE).reshape(*x.shape[:-2], n, n)
