"""Fields of experts (Roth & Black, CVPR 2005): a prior that adds up what filters say, each judged in its own way.

R(x) = sum_i sum phi_i(D_i x) / n          over n filters D_i and all pixels
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from ..shapes import Image
from .complex import as_complex, as_real
from .curve import Bumps
from .filters import mirrored


class FieldsOfExperts(nn.Module):
    """Complex image (batch, height, width) -> the gradient of R, sum_i D_i^T phi_i'(D_i x) / n; phi_i' are bumps.

    A filter has one kernel for the real part and one for the imaginary part; what they see is added up, so D_i x is
    real. Each kernel has mean 0, the two together norm 1, whatever an optimiser does. Outside the image there is 0.
    """

    def __init__(self, filters: int, kernel: int):
        super().__init__()
        self.weights, self.slopes = nn.Parameter(torch.randn(filters, 2, kernel, kernel)), Bumps(filters)

    def D(self) -> Tensor:
        """The kernels (filter, 2, kernel, kernel)."""
        centred = self.weights - self.weights.mean((-2, -1), keepdim=True)
        return centred / centred.square().sum((1, 2, 3), keepdim=True).sqrt()

    def forward(self, x: Image) -> Image:
        D = self.D()
        responses = self.slopes(conv2d(as_real(x), D, padding="same"))
        return as_complex(conv2d(responses, mirrored(D), padding="same")) / len(D)
