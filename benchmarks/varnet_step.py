"""One training step (forward, backward, Adam) of E2E-VarNet with known maps: ours and fastMRI's, same weights."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from course_lib.blocks import from_fastmri
from course_lib.losses import l1
from course_lib.methods.unrolled.e2e_varnet import E2EVarNet
from course_lib.ops import Sense

from .compare import relative
from .harness import Goal, Row, Scale
from .problem import Problem


def rows(scale: Scale) -> Iterator[Row]:
    cascades, width, depth = (6, 9, 4) if scale.n >= 128 else (2, 4, 2)
    problem = Problem(scale)
    A, y, truth = Sense(problem.lines, problem.maps), problem.kspace(problem.lines), problem.image
    torch.manual_seed(0)
    ours = E2EVarNet(cascades, width, depth)
    for weight in ours.parameters():
        if not weight.any():
            nn.init.normal_(weight, std=0.1)  # last layers: at zero there is nothing to compare
    ours = ours.to(scale.device)
    exact = E2EVarNet(cascades, width, depth).to(scale.device).double()
    exact.load_state_dict(ours.state_dict())
    with torch.no_grad():
        reference = exact(y.to(torch.complex128), Sense(A.mask.double(), A.maps.to(torch.complex128)))

    def fastmri():
        from fastmri.models.varnet import VarNet

        net = VarNet(cascades, sens_chans=1, sens_pools=1, chans=width, pools=depth)
        net.load_state_dict(named_as_theirs(ours, net))
        cascaded = net.cascades.to(scale.device)
        k, maps = torch.view_as_real(y), torch.view_as_real(A.maps)
        mask = A.mask.bool()[..., None]

        def forward() -> Tensor:
            completed = k.clone()
            for cascade in cascaded:
                completed = cascade(completed, k, mask, maps)
            return torch.view_as_complex(cascaded[-1].sens_reduce(completed, maps).contiguous())[:, 0]

        return step(cascaded, forward, truth)

    yield Row(
        f"training step, E2E-VarNet {cascades} cascades x {width} channels, known maps, batch 1",
        lambda: step(ours, lambda: ours(y, A), truth),
        {"fastmri": fastmri},
        relative(reference),
        tolerance=1e-4,
        goals=(Goal("fastmri", 1.5),),
    )


def step(net: nn.Module, forward: Callable[[], Tensor], truth: Tensor) -> Callable[[], Tensor]:
    """One step; the learning rate is zero, so that every step starts from the weights that are compared."""
    optimiser = torch.optim.Adam(net.parameters(), lr=0.0)

    def run() -> Tensor:
        optimiser.zero_grad()
        out = forward()
        l1(out, truth).backward()
        optimiser.step()
        return out

    return run


def named_as_theirs(ours: E2EVarNet, theirs: nn.Module) -> dict[str, Tensor]:
    """Our weights under fastMRI's names; its sensitivity network, which is not run, keeps its own."""
    found, mine = dict(theirs.state_dict()), ours.state_dict()
    for name, weight in found.items():
        _, number, *rest = name.split(".")
        if name.endswith("dc_weight"):
            found[name] = mine["lam"][int(number)].reshape(1)
        elif name.startswith("cascades."):
            inner = ".".join(rest).removeprefix("model.")
            found[name] = mine[f"u.{number}.net.{next(iter(from_fastmri({inner: weight})))}"]
    return found
