"""Review, section 1.2: does it matter where in an image something lies, and how large the image is?"""

from collections.abc import Callable
from itertools import islice

import torch
from torch import Tensor, nn

from ..blocks import UNet, cnn
from ..profiles import Profile
from ..scores import Interval, bootstrap
from .base import Verdict, decide, experiment
from .training import epochs, pairs

TOLERANCE = 1.0  # percent of the output: a change below it is none; fixed before anything was measured
DEPTH, SCALES = 5, 2  # layers of the CNN; scales of the U-Net, whose coarsest pixels are 2^SCALES wide
MOVE = 2**SCALES + 1  # odd, so that it is no whole number of coarse pixels


@experiment(11, "1.2", "Convolutional layers are shift-invariant and agnostic to image size.")
def agnostic(where: Profile) -> Verdict:
    count, passes = {"ci": (6, 2), "cpu": (24, 8), "gpu": (96, 10)}[where.name]
    nets = cnn(16, DEPTH), UNet(width=8, depth=SCALES)
    x, truth = pairs("train", where, count)
    for net in nets:
        list(islice(epochs(net, x, truth - x, lr=3e-3), passes))
    return compare(*nets, pairs("test", where, 12)[0])


def compare(net: nn.Module, pooled: nn.Module, x: Tensor) -> Verdict:
    """TOLERANCE minus the larger change of `net` (by a shift, by a cut), away from the border, image by image.

    x (batch, 2, height, width). Beside it: the change at the border, and of a network that pools.
    """
    with torch.no_grad():
        moved, cut = changes(net, x, shifted, MOVE), changes(net, x, cropped, MOVE)
        coarse = {n: bootstrap(changes(pooled, x, shifted, n)[0]) for n in (MOVE, 2**SCALES)}
    effect = bootstrap(TOLERANCE - torch.maximum(moved[0], cut[0]))
    inner, outer = ([_words(bootstrap(change[i])) for change in (moved, cut)] for i in (0, 1))
    remark = (
        f"Change of the output (a correction of the image) of {DEPTH} convolutions, away from the border: shift "
        f"{inner[0]}, cut {inner[1]}; at the border: {outer[0]} and {outer[1]}. A U-Net that pools changes by "
        f"{_words(coarse[MOVE])} for a shift of {MOVE} pixels, and by {_words(coarse[2**SCALES])} for one coarse pixel "
        f"({2**SCALES})."
    )
    return Verdict(decide(effect), effect, f"percent, {TOLERANCE:g} minus the change by a shift or a cut", remark)


def changes(net: nn.Module, x: Tensor, change: Callable[[Tensor, int], Tensor], n: int) -> tuple[Tensor, Tensor]:
    """||net(T x) - T net(x)|| / ||T net(x)|| in percent, image by image: away from the border, and at the border."""
    after, before = net(change(x, n)), change(net(x), n)
    border = torch.ones_like(before)
    reach = DEPTH + n  # as far as the zeros beside the image are seen, and moved
    border[..., reach:-reach, reach:-reach] = 0
    return _percent(after - before, before, 1 - border), _percent(after - before, before, border)


def shifted(x: Tensor, n: int) -> Tensor:
    """The image moved down and to the right by n pixels; what leaves comes in on the other side."""
    return x.roll((n, n), (-2, -1))


def cropped(x: Tensor, n: int) -> Tensor:
    """The image without n pixels at each side: a smaller one."""
    return x[..., n:-n, n:-n]


def _percent(error: Tensor, image: Tensor, where: Tensor) -> Tensor:
    size = [(part * where).flatten(1).norm(dim=1) for part in (error, image)]
    return 100 * size[0] / size[1].clamp_min(1e-12)


def _words(change: Interval) -> str:
    return f"{change.mean:.2g} %"
