"""DeepSPIRiT (Cheng, Mardani, Alley, Pauly & Vasanawala, ISMRM 2018): SPIRiT by CNNs, without calibration.

min_(K_r) ||k - k*||^2 in region r    k*: the true k-space; regions: the centre, then rings around it; a CNN for each
v, P <- compress(y)                   virtual coils by PCA, the strongest first, whatever the array
v <- v + K_r(v) in region r           from the centre outwards: each CNN sees what those before it filled in
k <- y where acquired, else P^H v     back to the coils there are, the data re-inserted
"""

import torch
from torch import Tensor, nn

from ...blocks import OnCoils, keep, resnet
from ...ops import Coils, Fourier, LinearOperator
from ...ops.regions import put, regions, scale
from ...shapes import Image, KSpace
from ...solve.calibrate import compress, mix, upright
from ..base import Reconstructor, cartesian, combine, method


@method(
    "deep_spirit",
    ref=29,
    section="2.2",
    learns="database",
    small=dict(width=32, blocks=2, count=2),
    differs=(
        "slices, not volumes; regions (ours) are scaled by their data; a virtual coil's largest sample is made real",
        "all CNNs train at once, none for another's region; width and coils are ours, the 12 blocks the paper's",
    ),
    mixes_rows=True,
)
class DeepSPIRiT(Reconstructor):
    def __init__(self, width: int = 64, blocks: int = 12, coils: int = 8, count: int = 3):
        super().__init__()
        self.coils = coils
        self.K = nn.ModuleList(OnCoils(resnet(width, blocks, 2 * coils, 2 * coils), coils) for _ in range(count))

    def virtual(self, y: KSpace) -> tuple[Tensor, Tensor]:
        return upright(*compress(y, min(self.coils, y.shape[1])))

    def kspace(self, y: KSpace, A: LinearOperator) -> KSpace:
        v, P = self.virtual(y)
        for K, (box, ring) in zip(self.K, regions(v, len(self.K))):
            size = scale(ring * v[box])
            v = put(v, box, ring * size * K(v[box].detach() / size))  # no K is trained for the regions outside
        return keep(mix(P.mH, v), y, cartesian(A).mask)

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        return combine(self.kspace(y, A), A)

    def loss(self, sample):
        k, truth = self.kspace(sample.kspace, sample.A), (Fourier() @ Coils(sample.maps))(sample.image)
        parts = regions(k, len(self.K))
        return sum((ring * (k - truth)[box]).norm() ** 2 / (ring * truth[box]).norm() ** 2 for box, ring in parts)


def claim_acquired_samples_are_put_back_in_every_coil_there_is(model, sample):
    model.coils = 2  # of 4: PCA loses some, the data are kept
    assert (model.kspace(sample.kspace, sample.A) * sample.mask == sample.kspace).all()


def claim_turned_coils_give_the_same_image(model, sample):
    y, A, U = sample.kspace, sample.A, torch.linalg.qr(torch.randn(1, 4, 4, dtype=torch.complex64))[0]
    assert (model(mix(U, y), type(A)(A.mask, mix(U, A.maps))) - model(y, A)).abs().max() < 1e-3


def claim_each_CNN_fills_its_own_region_and_the_next_one_sees_it(model, sample):
    y, seen = sample.kspace, []
    model.K[1].register_forward_hook(lambda module, given, k: seen.append(given[0]) or 0 * k)
    for K, (box, ring) in zip(model.K, regions(y, 2)):
        before = model.kspace(y, sample.A)
        K.register_forward_hook(lambda module, given, k: k + 1)
        moved = (model.kspace(y, sample.A) - before).abs().amax((0, 1)) > 1e-4
        assert (moved == put(0.0 * moved, box, ring) * (sample.mask[0, 0] == 0)).all()
    assert (seen[1] - seen[0]).abs().max() > 1e-3


def claim_no_CNN_learns_for_another_region(model, sample):
    model.kspace(sample.kspace, sample.A)[..., :8, :].abs().sum().backward()  # rows of the outer region
    assert [bool(K.net[0].weight.grad.any()) for K in model.K] == [False, True]
