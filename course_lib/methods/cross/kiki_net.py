"""KIKI-Net: cross-domain CNNs (Eo, Jun, Kim, Jang, Lee & Hwang, Magn. Reson. Med. 2018).

min_(K, I) ||k - k*||^2           k*: the true k-space of all coils; K, I: CNNs, new ones in every round

k <- k + K(k)                     fill in k-space
x <- S^H F^H k                    to the image, coils combined
x <- x + I(x)                     take artefacts away
k <- y where acquired, else F S x       data consistency, after every I
"""

from torch import nn

from ...blocks import OnCoils, OnComplex, cnn, keep
from ...ops.linear import LinearOperator
from ...ops.sense import Coils, Fourier
from ...shapes import Image, KSpace
from ..base import Reconstructor, cartesian, combine, method


@method(
    "kiki_net",
    ref=48,
    section="2.4",
    learns="database",
    small=dict(width=32, depth=5, coils=16),
    differs=(
        "all coils are channels of K and are combined with their maps before I; the paper has one coil",
        "K adds to its input, as W-Net's network does; the paper's K (recalled) replaces it and must learn to copy",
        "trained as one, on the image error; the paper trains one CNN after the other, on that of k-space",
        "64 channels are recalled, not checked; the last convolution of each CNN starts at zero",
    ),
    mixes_rows=True,
)
class KIKINet(Reconstructor):
    def __init__(self, rounds: int = 2, width: int = 64, depth: int = 25, coils: int = 1):
        super().__init__()
        self.K = nn.ModuleList(OnCoils(cnn(width, depth, 2 * coils), coils) for _ in range(rounds))
        self.I = nn.ModuleList(OnComplex(cnn(width, depth)) for _ in range(rounds))

    def kspace(self, y: KSpace, A: LinearOperator) -> KSpace:
        k, FS = y, Fourier() @ Coils(cartesian(A).maps)
        for K, I in zip(self.K, self.I):
            k = k + K(k)
            x = FS.H(k)
            x = x + I(x)
            k = keep(FS(x), y, cartesian(A).mask)
        return k

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        return combine(self.kspace(y, A), A)


def claim_the_missing_samples_that_K_fills_in_reach_the_image(model, sample):
    y, A = sample.kspace, sample.A
    before = model(y, A)
    model.K[-1].register_forward_hook(lambda module, given, k: k + (1 - sample.mask) * y.abs().max())
    assert (model(y, A) - before).abs().max() > 1e-2


def claim_all_acquired_samples_are_put_back_after_every_I(model, sample):
    after = []
    model.K[1].register_forward_pre_hook(lambda module, given: after.append(given[0]))
    after.append(model.kspace(sample.kspace, sample.A))
    assert len(after) == 2 and all((k * sample.mask == sample.kspace).all() for k in after)


def claim_every_network_has_weights_of_its_own(model, sample):
    size = [sum(p.numel() for p in KIKINet(rounds=n, width=4, depth=3).parameters()) for n in (1, 2, 3)]
    assert size[1] == 2 * size[0] and size[2] == 3 * size[0]


def claim_with_17_layers_of_48_and_1x1_at_the_end_it_has_the_1251080_parameters_of_ramzi_2020(model, sample):
    assert sum(p.numel() for p in KIKINet(width=48, depth=17).parameters()) - 4 * 8 * 48 * 2 == 1_251_080


def claim_untrained_it_is_a_gradient_step(model, sample):
    y, A = sample.kspace, sample.A
    x = A.H(y)
    x = x + A.H(y - A(x))
    assert (KIKINet(rounds=1, width=4, depth=2, coils=4)(y, A) - x).abs().max() < 1e-4
