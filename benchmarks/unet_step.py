"""One training step (forward, backward, Adam) of the fastMRI U-Net, 32 channels: ours and theirs, same weights."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from course_lib.blocks import UNet

from .compare import relative
from .harness import Goal, Missing, Row, Scale
from .problem import Problem


def rows(scale: Scale) -> Iterator[Row]:
    width = 32 if scale.n >= 128 else 4
    truth = Problem(scale).image.abs()[None]
    noisy = truth + 0.1 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0)).to(truth.device)
    torch.manual_seed(0)
    first = UNet(width=width, depth=4, inside=1, outside=1).to(scale.device)
    with torch.no_grad():
        exact = UNet(width=width, depth=4, inside=1, outside=1).to(scale.device).double()
        _copy(first, exact)
        reference = exact(noisy.double())

    def fastmri():
        from fastmri.models.unet import Unet

        net = Unet(1, 1, chans=width, num_pool_layers=4).to(scale.device)
        _copy(first, net)
        return step(net, noisy, truth)

    yield Row(
        f"training step, U-Net {width} channels, batch 1",
        lambda: step(first, noisy, truth),
        {"fastmri": fastmri},
        relative(reference),
        tolerance=1e-4,
        goals=(Goal("fastmri", 1.0),),
    )


def step(net: nn.Module, x: Tensor, truth: Tensor):
    """One step; the learning rate is zero, so that every step starts from the weights that are compared."""
    optimiser = torch.optim.Adam(net.parameters(), lr=0.0)

    def run() -> Tensor:
        optimiser.zero_grad()
        out = net(x)
        l1_loss(out, truth).backward()
        optimiser.step()
        return out

    return run


def _copy(source: nn.Module, target: nn.Module) -> None:
    """The weights of `source` into `target`; fastMRI registers its upsampling layers last, we before merging."""
    ours, theirs = list(source.parameters()), dict(target.named_parameters())
    order = ("down", "conv", "bottom", "up_transpose", "up_conv", "up", "merge", "last")
    rank = lambda name: next(i for i, word in enumerate(order) if name.startswith(word))
    theirs = [theirs[name] for name in sorted(theirs, key=rank)]
    if [p.shape for p in ours] != [p.shape for p in theirs]:
        raise Missing("its layers differ from ours")
    with torch.no_grad():
        for a, b in zip(theirs, ours):
            a.copy_(b)
