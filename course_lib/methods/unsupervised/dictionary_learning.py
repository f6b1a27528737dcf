"""DLMRI: an image and the dictionary of its patches (Ravishankar & Bresler, IEEE Trans. Med. Imaging 2011).

min_{x, D, C} ||A x - y||^2 + lam / p ||R x - C D^T||^2      R x: all patches; each lies in p others; few numbers in C

C <- orthogonal matching pursuit of R x in D            each patch as a sum of at most `sparsity` atoms
D <- K-SVD                                              atoms that suit these patches better; both a few times
x <- (A^H A + lam)^-1 (A^H y + lam z)                   z: the mean of the fitted patches at each pixel
"""

import torch

from ...ops import LinearOperator, Patches
from ...shapes import Image, KSpace
from ...solve import cg, shifted_inverse
from ...solve.dictionary import cosines, learn
from ..base import Reconstructor, method


@method(
    "dictionary_learning",
    ref=78,
    section="3",
    learns="scan",
    small=dict(stride=2, iterations=8),
    differs=(
        "many coils: the closed form of one coil becomes a small inverse for each row, or CG where rows mix",
        "patch, atoms and sparsity are the paper's, recalled; lam and the tolerance of the pursuit are tuned anew",
        "the dictionary starts at cosines and goes on from that of the iteration before; it learns from all patches",
        "starts at the regularised SENSE image, not at the zero-filled one; an extra axis shares the dictionary",
    ),
    knob=("tolerance", (0.03, 0.04, 0.06, 0.08, 0.1, 0.13, 0.17)),
)
class DictionaryLearning(Reconstructor):
    def __init__(
        self, patch: int = 6, atoms: int = 36, sparsity: int = 5, tolerance: float = 0.08, lam: float = 0.02,
        stride: int = 1, iterations: int = 20, updates: int = 1,
    ):  # fmt: skip
        super().__init__()
        self.patch, self.atoms, self.sparsity, self.tolerance = patch, atoms, sparsity, tolerance
        self.lam, self.stride, self.iterations, self.updates = lam, stride, iterations, updates

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        AHy, lam = A.H(y), torch.tensor(self.lam, device=y.device)
        solve = shifted_inverse(A, lam)
        x, R = solve(AHy, None), Patches((AHy.shape[-2], AHy.shape[-1]), self.patch, self.stride)
        cover = R.cover().to(y.device)
        D = [cosines(self.patch, self.atoms).to(AHy)] * len(x)  # one for each sample
        for _ in range(self.iterations):
            P = R(x).flatten(1, -2)
            D, C = zip(*[learn(p, d, self.sparsity, self.tolerance, self.updates) for p, d in zip(P, D)])
            fitted = torch.stack([c @ d.T for c, d in zip(C, D)])
            z = R.H(fitted.reshape(*x.shape[:-2], -1, self.patch**2)) / cover
            x = solve(AHy + lam * z, z)
        return x


def claim_it_solves_for_the_image_that_the_data_and_the_patches_ask_for(model, sample):
    y, A, model.tolerance, model.iterations = sample.kspace, sample.A, 1e6, 1
    x = model(y, A)  # no patch is worth an atom: z = 0
    off = (A.N(x) + model.lam * x - A.H(y)) * (sample.maps != 0).any(1)
    assert off.abs().max() < 1e-4 and x.abs().max() > 0.1


def claim_the_dictionary_that_is_learned_suits_the_patches_better(model, sample):
    P, error = Patches((32, 32))(sample.image)[0], []
    for updates in (0, 3):
        D, C = learn(P, cosines(6, 36).to(P), 5, 0.0, updates)
        error.append((C @ D.T - P).norm())
        assert ((C != 0).sum(1) <= 5).all() and torch.allclose(D.norm(dim=0), torch.ones(36))
    assert error[1] < 0.9 * error[0]


def claim_the_phase_of_the_image_does_not_matter(model, sample):
    y, A = sample.kspace, sample.A
    assert (model(1j * y, A) - 1j * model(y, A)).norm() < 1e-3 * model(y, A).norm()


def claim_it_finds_more_than_coil_maps_alone_would(model, sample):
    y, A = sample.kspace, sample.A
    assert (model(y, A) - sample.image).norm() < 0.9 * (cg(A.N, A.H(y)) - sample.image).norm()
