"""Zero-filled reconstruction: the adjoint of the forward model (review, Eq. 1).

x = A^H y               missing samples stay zero; the coils are combined with their maps
"""

from ...ops.linear import LinearOperator
from ...shapes import Image, KSpace
from ..base import Reconstructor, method


@method("zero_filled", ref=None, section="1.1", learns="nothing")
class ZeroFilled(Reconstructor):
    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        return A.H(y)


def claim_it_is_linear_in_the_data(model, sample):
    y, A = sample.kspace, sample.A
    assert (model((2 - 1j) * y, A) - (2 - 1j) * model(y, A)).abs().max() < 1e-5


def claim_a_pixel_seen_through_the_mask_becomes_the_point_spread_function(model, sample):
    pixel = sample.image * 0
    height, width = pixel.shape[-2:]
    pixel[..., height // 2, width // 2] = 1
    spread = model(sample.A(pixel), sample.A).abs()
    share = sample.mask.expand(-1, -1, height, width).mean((-2, -1))[:, 0]
    coils = sample.maps[..., height // 2, width // 2].abs().square().sum(1)
    assert (spread[..., height // 2, width // 2] - share * coils).abs().max() < 1e-5
