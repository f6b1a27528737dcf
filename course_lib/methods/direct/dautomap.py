"""dAUTOMAP: decomposed AUTOMAP (Schlemper, Oksuz, Clough, Duan, King, Schnabel, Hajnal & Rueckert, ISMRM 2019, 658).

min_W ||x_W(y) - x||^2       F^-1 is one matrix for all rows and one for all columns; so is what is learned

x <- tanh(C(R(x)))           a learned transform: R on each row, C on each column; twice, from x = y
x <- deconv(relu(conv(relu(conv(x)))))              as in AUTOMAP, on two channels
"""

from collections.abc import Callable

import torch
from torch import nn

from ...blocks import OnComplex, Transform, inverse_fourier, refinement
from ...ops import LinearOperator, fft2c, ifft2c
from ...shapes import Image, KSpace, sized
from ..base import Reconstructor, method


@method(
    "dautomap",
    ref=42,
    section="2.3",
    learns="database",
    small=dict(size=(32, 32), width=16),
    differs=(
        "coils are combined first: y is F(A^H y), which is the data themselves for one coil; the paper's has one coil",
        "the transforms start as random rotations; the authors' code can also start at the inverse Fourier transform",
        "trained with Muon, where the authors used a variant of gradient descent of their own choice (recalled)",
    ),
)
class DAUTOMAP(Reconstructor):
    def __init__(self, size: tuple[int, int] = (128, 128), width: int = 64, act: Callable[[], nn.Module] = nn.Tanh):
        super().__init__()
        self.size, self.act = size, OnComplex(act())
        self.transforms = nn.ModuleList(Transform(*size) for _ in range(2))
        self.refine = OnComplex(refinement(2, width))

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        x = fft2c(sized("dAUTOMAP", A.H(y), self.size))
        for transform in self.transforms:
            x = self.act(transform(x))
        return self.refine(x)


def claim_the_transforms_have_16_n_squared_parameters(model, sample):
    for n, expected in {64: 65_536, 128: 262_144, 256: 1_048_576}.items():
        with torch.device("meta"):
            one = type(model)(size=(n, n))
        count = [sum(p.numel() for p in part.parameters()) for part in (one.transforms, one.refine)]
        assert count == [expected, 112_002]  # the convolutions stay as they are


def claim_with_the_matrices_of_the_inverse_fourier_transform_it_is_that(model, sample):
    model = type(model)((10, 7), act=nn.Identity)
    model.transforms[0].become(inverse_fourier(7), inverse_fourier(10))
    model.transforms[1].become(torch.eye(7) + 0j, torch.eye(10) + 0j)
    model.refine = nn.Identity()
    k = fft2c(sample.image)[:, None, 11:21, 13:20]
    A = type(sample.A)(torch.ones(1, 1, 1, 7), torch.ones_like(k))
    assert (model(k, A) - ifft2c(k[:, 0])).abs().max() < 1e-5 * k.abs().max()


def claim_a_sample_moves_its_row_then_by_the_columns_every_pixel(model, sample):
    k, step = fft2c(sample.image), torch.zeros_like(sample.image)
    step[:, 20, 9] = 1
    model.transforms[0].columns.weight.data = torch.eye(64)  # of the columns, the identity: rows stay apart
    moved = (model.transforms[0](k + step) - model.transforms[0](k)).abs()[0] > 1e-4
    assert moved[20].all() and not moved[:20].any() and not moved[21:].any()
    assert (model.transforms[1](k + step) - model.transforms[1](k) != 0).all()


def claim_tanh_bounds_what_the_convolutions_see(model, sample):
    model.refine = nn.Identity()
    x = model(100 * sample.kspace, sample.A)
    assert 0.1 < x.real.abs().max() <= 1 and 0.1 < x.imag.abs().max() <= 1
