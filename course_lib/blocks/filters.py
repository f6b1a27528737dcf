"""Linear filters of complex images with real answers, and their exact adjoint: the D of a learned sparsity term.

(D_i x) = a_i * Re x + b_i * Im x     a_i, b_i: real kernels; * is the convolution of deep learning, edges go round
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from ..shapes import Image
from .complex import as_complex, as_real

Answers = Float[Tensor, "batch count height width"]


class Filters(nn.Module):
    """`count` filters, `size` x `size` pixels (odd), at first random.

    clean: every kernel loses its mean and is scaled so that a_i and b_i together have length 1. cosines: they start as
    the 2 (size^2 - 1) that see either the real or the imaginary part, each with a cosine basis without its constant.
    """

    def __init__(self, count: int, size: int, clean: bool = False, cosines: bool = False):
        super().__init__()
        self.clean = clean
        self.weight = nn.Parameter(torch.randn(count, 2, size, size) / (2**0.5 * size))
        if cosines:
            self.weight.data = torch.kron(torch.eye(2), dct(size).flatten(1)).view_as(self.weight)

    def kernels(self) -> Tensor:
        """(count, 2, size, size): a_i and b_i as they are used."""
        if not self.clean:
            return self.weight
        k = self.weight - self.weight.mean((2, 3), keepdim=True)
        return k / k.square().sum((1, 2, 3), keepdim=True).clamp_min(1e-12).sqrt()

    def forward(self, x: Image) -> Answers:
        """D x."""
        return _round(as_real(x), self.kernels())

    def adjoint(self, u: Answers) -> Image:
        """D^T u: the sum over i of u_i, filtered with the kernels turned by 180 degrees."""
        return as_complex(_round(u, self.kernels().transpose(0, 1).flip(-2, -1)))


def dct(size: int) -> Float[Tensor, "count {size} {size}"]:
    """The two-dimensional cosine basis of `size` x `size` pixels without its constant: orthonormal kernels."""
    n = torch.arange(size)
    waves = torch.cos(torch.pi * n[:, None] * (n + 0.5) / size) * (2 / size) ** 0.5
    waves[0] /= 2**0.5
    return torch.einsum("ai,bj->abij", waves, waves).flatten(0, 1)[1:]


def _round(x: Tensor, kernels: Tensor) -> Tensor:
    half = kernels.shape[-1] // 2
    return conv2d(pad(x, [half] * 4, mode="circular"), kernels)
