"""Compressed sensing with wavelets (Lustig, Donoho & Pauly, Magn. Reson. Med. 2007).

min_x 1/2 ||A x - y||^2 + lam ||W x||_1       W: orthonormal db4 wavelets

v <- z - s A^H (A z - y)                      solved by FISTA (Beck & Teboulle, SIAM J. Imaging Sci. 2009)
x <- W^H soft(W v, s lam)                     the wavelet grid is shifted at random; s = 1 / ||A||^2, 1 if Cartesian
"""

import torch
from torch import Tensor

from ...ops.linear import LinearOperator
from ...ops.sparse import Wavelet
from ...shapes import Image, KSpace
from ...solve import fista, safe_step, soft
from ..base import Reconstructor, method


@method(
    "cs_wavelet",
    ref=3,
    section="1.1",
    learns="nothing",
    differs=(
        "FISTA instead of non-linear conjugate gradients: it needs no smoothing of the modulus",
        "random shifts (Figueiredo & Nowak 2003) remove the blocks of the grid; the coarsest scale is not shrunk",
    ),
    knob=("lam", tuple(10 ** (-4 + i / 4) for i in range(13))),
)
class CompressedSensingWavelet(Reconstructor):
    def __init__(self, lam: float = 0.002, iterations: int = 80, levels: int = 4, shifts: bool = True):
        super().__init__()
        self.lam, self.iterations, self.shifts = lam, iterations, shifts
        self.W: Wavelet = Wavelet(levels)

    def denoise(self, v: Image, t: float | Tensor, shift: list[int]) -> Image:
        coefficients = self.W(v.roll(shift, (-2, -1)))
        shrunk = soft(coefficients, t)
        height, width = self.W.coarse(v.shape)
        shrunk[..., :height, :width] = coefficients[..., :height, :width]
        return self.W.H(shrunk).roll([-s for s in shift], (-2, -1))

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        AHy = A.H(y)
        rng = torch.Generator().manual_seed(0)
        farthest = 2**self.W.levels if self.shifts else 1

        def prox(v, step):
            return self.denoise(v, self.lam * step, torch.randint(farthest, (2,), generator=rng).tolist())

        return fista(lambda x: A.N(x) - AHy, prox, AHy, step=safe_step(A, AHy), iterations=self.iterations)


def claim_its_shrinkage_solves_the_denoising_problem(model, sample):
    x, t = sample.image, 0.05
    z = model.denoise(x, t, [3, 5])
    c, d = (model.W(image.roll([3, 5], (-2, -1))) for image in (x, z))
    height, width = model.W.coarse(x.shape)
    c[..., :height, :width] = d[..., :height, :width] = 0
    off = (c - d).abs()
    assert off.max() < t * 1.0001
    assert ((d.abs() < 1e-6) | ((off - t).abs() < 1e-4)).all()


def claim_the_solution_is_a_fixed_point(model, sample):
    y, A = sample.kspace, sample.A
    unshifted = CompressedSensingWavelet(lam=0.01, iterations=300, shifts=False)
    x = unshifted(y, A)
    assert (unshifted.denoise(x - (A.N(x) - A.H(y)), 0.01, [0, 0]) - x).abs().max() < 1e-3


def claim_shifts_give_the_better_image(model, sample):
    y, A = sample.kspace, sample.A
    error = [(CompressedSensingWavelet(lam=0.02, shifts=on)(y, A) - sample.image).norm() for on in (True, False)]
    assert error[0] < error[1]


def claim_without_lam_it_is_a_least_squares_solution(model, sample):
    x = CompressedSensingWavelet(lam=0.0, iterations=200)(sample.kspace, sample.A)
    assert sample.A.H(sample.A(x) - sample.kspace).abs().max() < 1e-3
