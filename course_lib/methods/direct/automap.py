"""AUTOMAP: automated transform by manifold approximation (Zhu, Liu, Cauley, Rosen & Rosen, Nature 2018).

min_W ||x_W(y) - x||^2 + lam ||f||_1     no model of the scanner: pairs (y, x) teach the transform itself

h <- tanh(W2 tanh(W1 Vec(y)))            fully connected: every pixel sees every sample of k-space
x <- deconv(f), f = relu(conv(relu(conv(h))))    one network for the real part, one for the imaginary part
"""

import torch
from torch import Tensor, nn

from ...blocks import FullyConnected, as_complex, as_real, inverse_fourier, real_matrix
from ...losses import mse
from ...ops import LinearOperator, fft2c, ifft2c
from ...shapes import Image, KSpace, sized
from ..base import Reconstructor, method


@method(
    "automap",
    ref=41,
    section="2.3",
    learns="database",
    small=dict(size=(32, 32), width=16),
    differs=(
        "coils are combined first: y is F(A^H y), which for one coil is the data themselves; the paper's has one coil",
        "the two networks train at the same time; errors and features are means, so lam weighs otherwise (recalled)",
        "`fit` trains with Muon, slow for matrices of this size; the paper's RMSprop stands in chapter 13",
    ),
)
class AUTOMAP(Reconstructor):
    def __init__(self, size: tuple[int, int] = (64, 64), width: int = 64, lam: float = 1e-4, noise: float = 0.01):
        super().__init__()
        self.size, self.lam, self.noise = size, lam, noise
        self.real, self.imaginary = FullyConnected(size, 2, width), FullyConnected(size, 2, width)

    def features(self, y: KSpace, A: LinearOperator) -> list[Tensor]:
        k = as_real(fft2c(sized("AUTOMAP", A.H(y), self.size)))
        return [part.f(part.h(k)) for part in (self.real, self.imaginary)]

    def image(self, f: list[Tensor]) -> Image:
        return as_complex(torch.cat([self.real.deconv(f[0]), self.imaginary.deconv(f[1])], dim=1))

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        return self.image(self.features(y, A))

    def loss(self, sample):
        y = sample.kspace * (1 + self.noise * (2 * torch.rand_like(sample.kspace.real) - 1))
        f = self.features(y, sample.A)
        return mse(self.image(f), sample.image) + self.lam * sum(one.mean() for one in f)


def claim_each_network_has_50_million_parameters_at_64_and_805_million_at_128(model, sample):
    with torch.device("meta"):
        counts = [sum(p.numel() for p in type(model)((n, n)).real.parameters()) for n in (64, 128)]
    assert counts == [50_447_105, 805_446_401]


def claim_one_sample_of_the_data_moves_every_pixel(model, sample):
    step = torch.zeros(2, 2, 32, 32)
    step[0, 0, 20, 9] = step[1, 1, 20, 9] = 1  # real and imaginary part
    assert all((part.h(step) != part.h(0 * step)).all() for part in (model.real, model.imaginary))


def claim_with_one_coil_its_layers_can_be_the_inverse_fourier_transform(model, sample):
    model, small, inverse = type(model)((8, 6)), 1e-3, torch.kron(inverse_fourier(8), inverse_fourier(6))
    for part, rows in zip((model.real, model.imaginary), real_matrix(inverse).chunk(2)):
        part.h[1].weight.data, part.h[3].weight.data = small * rows, torch.eye(48)
        part.h[1].bias.data, part.h[3].bias.data = torch.zeros(48), torch.zeros(48)
        part.f = part.deconv = nn.Identity()
    k = fft2c(sample.image)[:, None, 12:20, 13:19]
    x = model(k, type(sample.A)(torch.ones(1, 1, 1, 6), torch.ones_like(k))) / small
    assert (x - ifft2c(k[:, 0])).abs().max() < 1e-4 * k.abs().max()


def claim_features_are_penalised_and_noise_is_drawn_anew(model, sample):
    assert model.loss(sample) != model.loss(sample)
    model.noise, model.lam = 0, 1
    penalty = model.loss(sample) - mse(model(sample.kspace, sample.A), sample.image)
    assert torch.isclose(penalty, 2 * torch.stack(model.features(sample.kspace, sample.A)).mean(), rtol=1e-3)
