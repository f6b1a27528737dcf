"""Phase-contrast MRI de-aliased on complex images (Nath et al., IEEE Int. Symp. Biomed. Imaging 2020).

(x0, x1) = A^H y - f(A^H y)          f is a U-Net that sees reference x0 and velocity-encoded image x1 together
min_f ||(x0, x1) - truth||_1         of complex numbers: the loss keeps the phase, and with it the velocity
v = venc / pi angle(x1 conj(x0))
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ... import blocks, clinical, losses
from ...data.sample import Sample
from ...ops import LinearOperator
from ...shapes import Image, KSpace
from ..base import Reconstructor, encoded, method


@method(
    "phase_contrast",
    ref=15,
    section="2.1",
    learns="database",
    small=dict(width=10, depth=2),
    extra=(2, 3),
    differs=(
        "authors, widths and loss are recalled: the paper's text was not at hand",
        "both images pass the network together, frame by frame; the residual is learned",
    ),
)
class PhaseContrast(Reconstructor):
    """net: (width, depth) -> a network from two complex images to two, `two_channel` or `complex_net`."""

    def __init__(self, width: int = 32, depth: int = 4, net: Callable[[int, int], nn.Module] = blocks.two_channel):
        super().__init__()
        self.f = net(width, depth)

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        x = encoded(A.H(y))
        frames = x.movedim(1, 2).flatten(0, 1)  # (batch * time, 2, height, width): each frame on its own
        frames = frames - self.f(frames)
        return frames.unflatten(0, x[:, 0].shape[:2]).movedim(2, 1)

    def loss(self, sample: Sample) -> Tensor:
        return losses.l1(self(sample.kspace, sample.A), sample.image)


def claim_it_starts_at_the_zero_filled_pair(model, sample):
    model = PhaseContrast(width=10, depth=2)
    assert (model(sample.kspace, sample.A) - sample.A.H(sample.kspace)).abs().max() < 1e-5


def claim_one_image_helps_the_other_and_frames_stay_alone(model, sample):
    y, A = sample.kspace, sample.A
    changed = y.clone()
    changed[:, :, 1, 0] *= 2  # the encoded image of the first frame
    change = (model(changed, A) - model(y, A)).abs().amax((0, 3, 4))
    assert change[0, 0] > 1e-3 and change[:, 1:].max() < 1e-4


def claim_the_loss_keeps_the_phase_and_so_the_velocity(model, sample):
    fast = sample.image * torch.tensor([1, 1j])[:, None, None, None]  # half of venc faster everywhere
    speeds = clinical.velocity(fast, 150.0) - clinical.velocity(sample.image, 150.0)
    assert ((speeds % 300) - 75)[sample.image[:, 0].abs() > 0.1].abs().max() < 1e-2
    other = Sample(sample.kspace, sample.mask, sample.maps, fast)
    assert model.loss(other) > 1.05 * model.loss(sample)


def claim_a_complex_network_turns_with_the_phase_and_two_channels_do_not(model, sample):
    y, A, turn = sample.kspace, sample.A, 0.6 + 0.8j
    differ = [(m(turn * y, A) - turn * m(y, A)).abs().max() for m in (model, PhaseContrast(7, 2, blocks.complex_net))]
    assert differ[1] < 1e-4 < 1e-2 < differ[0]


def claim_at_equal_width_over_root_two_both_have_as_many_parameters(model, sample):
    size = [
        sum(p.numel() for p in f(w, 2).parameters()) for f, w in ((blocks.two_channel, 10), (blocks.complex_net, 7))
    ]
    assert abs(size[1] / size[0] - 1) < 0.02
