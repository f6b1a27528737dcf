"""What a clinician reads off a reconstruction: volumes of the heart, velocities and flow, and how well two ways agree.

Automatic measures with units, so that a reconstruction can be judged by the number that matters (review, section 4).
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float, Shaped
from torch import Tensor

from .errors import CourseError
from .scores import Interval, bootstrap

Film = Shaped[Tensor, "batch time height width"]
Region = Float[Tensor, "height width"]
LIMITS = 1.96  # standard deviations around the bias that hold 95 % of a normal distribution


def ventricle_area(film: Film, region: Region, pixel: float) -> Float[Tensor, "batch time"]:
    """Area of the bright blood within a region that holds ventricle and muscle, in the unit of `pixel` squared.

    A pixel counts by how bright it is between muscle (0) and blood (1), so that one on the border counts in part. Both
    levels are the same for the whole film: the quantiles 0.1 and 0.9 of the region. pixel: width of one.
    """
    inside = film.abs()[..., region > 0.5]
    levels = torch.tensor([0.1, 0.9], dtype=inside.dtype, device=inside.device)
    muscle, blood = inside.flatten(1).quantile(levels, dim=1)[..., None, None]
    return ((inside - muscle) / (blood - muscle).clamp_min(1e-12)).clamp(0, 1).sum(-1) * pixel**2


def volume(area: Tensor, length: Tensor) -> Tensor:
    """Volume of a left ventricle of bullet shape, 5/6 area length: a cylinder with half an ellipsoid as its tip.

    area of the short axis in the middle, length of the long axis; cm^2 and cm give mL.
    """
    return 5 / 6 * area * length


def ejection_fraction(volumes: Float[Tensor, "*batch time"]) -> Float[Tensor, "*batch"]:
    """(largest - smallest volume) / largest volume of a heartbeat."""
    largest, smallest = volumes.amax(-1), volumes.amin(-1)
    return (largest - smallest) / largest


def velocity(
    pair: Complex[Tensor, "batch 2 *time height width"], venc: float
) -> Float[Tensor, "batch *time height width"]:
    """venc / pi angle(x1 conj(x0)) of a reference x0 and a velocity-encoded image x1; in the unit of `venc`.

    Velocities beyond venc wrap around: they cannot be told from slower ones.
    """
    return venc / math.pi * (pair[:, 1] * pair[:, 0].conj()).angle()


def flow(speed: Float[Tensor, "*batch height width"], vessel: Region, pixel: float) -> Float[Tensor, "*batch"]:
    """Volume that passes through a vessel per time, sum of velocity x area; cm/s and cm give mL/s.

    vessel: the part of each pixel that lies in it, 0 to 1.
    """
    return (speed * vessel.to(speed)).sum((-2, -1)) * pixel**2


def velocity_error(pair: Tensor, truth: Tensor, vessels: Tensor, venc: float) -> Tensor:
    """Root mean square error of the velocity inside the vessels, one number a sample, in the unit of `venc`.

    pair (batch, 2, *time, height, width), truth (batch or 1, *time, height, width), vessels (height, width), 0 to 1.
    """
    error = (velocity(pair, venc) - truth).square() * vessels
    return (error.flatten(1).sum(1) / vessels.expand_as(error).flatten(1).sum(1)).sqrt()


@dataclass(frozen=True)
class Agreement:
    """Bland & Altman, Lancet 1986: bias = mean of measured - true; 95 % of the differences lie in low ... high."""

    bias: Interval
    low: float
    high: float

    def __str__(self) -> str:
        b = self.bias
        return f"bias {b.mean:+.2f} [{b.low:+.2f}, {b.high:+.2f}], limits {self.low:+.2f} to {self.high:+.2f}"


def bland_altman(measured: Float[Tensor, " n"], truth: Float[Tensor, " n"]) -> Agreement:
    """Bias and limits of agreement, bias -+ 1.96 standard deviations of the differences (n - 1 in their variance)."""
    difference = (measured - truth).double()
    if len(difference) < 2:
        raise CourseError("Bland-Altman", "at least two pairs", f"{len(difference)}")
    bias, spread = difference.mean().item(), LIMITS * difference.std().item()
    return Agreement(bootstrap(difference), bias - spread, bias + spread)
