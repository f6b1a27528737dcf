"""Gridding with density compensation (O'Sullivan, IEEE Trans. Med. Imaging 1985; Jackson et al., same journal 1991).

x = A^H W y            W: the area of k-space that each sample stands for

Where samples lie dense, each one stands for less. On a Cartesian grid all areas are equal: x = A^H y.
"""

from collections.abc import Callable

from torch import Tensor

from ...ops.compensation import ramp
from ...ops.linear import LinearOperator
from ...ops.radial import Radial, RadialSense
from ...sampling import golden_angle
from ...shapes import Image, KSpace
from ..base import Reconstructor, method


@method(
    "gridding",
    ref=None,
    section="1.1",
    learns="nothing",
    differs=("the kernel is divided out, and the adjoint is the exact one of the forward model",),
)
class Gridding(Reconstructor):
    """areas: (trajectory, image shape) -> W; `ramp` is for spokes, `density` for any trajectory without large gaps."""

    def __init__(self, areas: Callable[[Tensor, tuple[int, int]], Tensor] = ramp):
        super().__init__()
        self.areas = areas

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        radial = A.radial if isinstance(A, RadialSense) else A
        if not isinstance(radial, Radial) or radial.weights is not None:
            return A.H(y)  # Cartesian, or W is shared between y and A already: sqrt(W) in each
        return A.H(self.areas(radial.trajectory, radial.shape).to(y.real.dtype) * y)


def _spokes(sample, weights=None):
    """The image of the sample along 101 spokes; gives the data and the model."""
    shape = tuple(sample.image.shape[-2:])
    A = RadialSense(Radial(golden_angle(101, 2 * shape[-1]), shape, weights), sample.maps)
    return A(sample.image), A


def claim_on_a_cartesian_grid_it_is_the_adjoint(model, sample):
    assert (model(sample.kspace, sample.A) - sample.A.H(sample.kspace)).abs().max() == 0


def claim_it_restores_the_brightness_that_the_adjoint_piles_up_in_the_centre(model, sample):
    y, A = _spokes(sample)
    error = [(x - sample.image).norm() / sample.image.norm() for x in (model(y, A), A.H(y) / A.H(y).abs().mean())]
    assert error[0] < 0.2 < error[1]


def claim_areas_that_the_model_holds_are_not_applied_twice(model, sample):
    y, A = _spokes(sample)
    w = ramp(A.radial.trajectory, A.radial.shape)
    weighted, B = _spokes(sample, w)
    assert (model(weighted, B) - model(y, A)).abs().max() < 1e-4
