"""Chapter 09: adversarial losses, a round of two players, and the part of an error that the data cannot see."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from ...losses import least_squares
from ...ops import Sense
from ..exercise import Exercise
from .cases import images

Player = torch.optim.Optimizer


def _scores() -> list[tuple[Tensor, Tensor]]:
    rng = torch.Generator().manual_seed(3)
    return [(torch.randn(4, generator=rng), torch.randn(4, generator=rng)), (torch.tensor([1.0]), torch.tensor([0.3]))]


ch09_scores = Exercise(
    reference=lambda real, fake: (least_squares(real, 1) + least_squares(fake, 0), least_squares(fake, 1)),
    cases=_scores,
    mistakes={
        "labels exchanged: the critic's are 1 for real and 0 for reconstructed images": lambda real, fake: (
            least_squares(real, 0) + least_squares(fake, 1),
            least_squares(fake, 1),
        ),
        "the generator helps the critic: it wants its images to score 1": lambda real, fake: (
            least_squares(real, 1) + least_squares(fake, 0),
            least_squares(fake, 0),
        ),
        "half a critic: it must also know what real images look like": lambda real, fake: (
            least_squares(fake, 0),
            least_squares(fake, 1),
        ),
        "the generator pays for real images: their scores do not depend on it": lambda real, fake: (
            least_squares(real, 1) + least_squares(fake, 0),
            least_squares(real, 0) + least_squares(fake, 1),
        ),
        "sums, not means: a batch of two should not cost twice as much": lambda real, fake: (
            len(real) * (least_squares(real, 1) + least_squares(fake, 0)),
            len(fake) * least_squares(fake, 1),
        ),
        "not squared: this is least squares": lambda real, fake: (
            (real - 1).abs().mean() + fake.abs().mean(),
            (fake - 1).abs().mean(),
        ),
        "the two are exchanged: first the critic's loss, then the generator's": lambda real, fake: (
            least_squares(fake, 1),
            least_squares(real, 1) + least_squares(fake, 0),
        ),
    },
)


def _judge(D: nn.Module, truth: Tensor, x: Tensor) -> Tensor:
    return least_squares(D(truth), 1) + least_squares(D(x.detach()), 0)


def _please(D: nn.Module, x: Tensor, truth: Tensor, eta: float, label: int = 1) -> Tensor:
    return eta * l1_loss(x, truth) + (1 - eta) * least_squares(D(x), label)


def _turn(player: Player, loss: Tensor, clear: bool = True) -> None:
    if clear:
        player.zero_grad()
    loss.backward()
    player.step()


def _round(
    G: nn.Module, D: nn.Module, adam_G: Player, adam_D: Player, x: Tensor, truth: Tensor, eta: float, fault: str = ""
) -> None:
    """A round; `fault` names what is done wrong in it."""
    if fault == "generator first":
        _turn(adam_G, _please(D, G(x), truth, eta))
    if fault == "at once":
        judged, pleased = _judge(D, truth, G(x)), _please(D, G(x), truth, eta)
        for player, loss in ((adam_G, pleased), (adam_D, judged)):
            player.zero_grad()
            loss.backward(inputs=[p for group in player.param_groups for p in group["params"]])
        adam_G.step()
        adam_D.step()
        return
    if fault != "no critic":
        _turn(adam_D, _judge(D, truth, G(x)), clear=fault != "kept")
    if fault == "generator first":
        return
    wrong = fault == "eta"
    _turn(adam_G, _please(D, G(x), truth, 1 - eta if wrong else eta, label=0 if fault == "label" else 1))
    if fault == "both":
        adam_D.step()


def _played(one_round: Callable, x: Tensor, truth: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    """The weights of both players after two rounds from the same start."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(8)
        G = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.Tanh(), nn.Conv2d(3, 1, 3, padding=1))
        D = nn.Sequential(nn.Conv2d(1, 3, 3, stride=2), nn.Tanh(), nn.Conv2d(3, 1, 3))
    players = [torch.optim.SGD(net.parameters(), lr=0.2) for net in (G, D)]
    for _ in range(2):
        one_round(G, D, *players, x, truth, eta)
    weights = [torch.cat([p.detach().flatten() for p in net.parameters()]) for net in (G, D)]
    return weights[0], weights[1]


def _pairs() -> list[tuple[Tensor, Tensor, float]]:
    rng = torch.Generator().manual_seed(6)
    x, truth = torch.randn(2, 2, 1, 8, 8, generator=rng)
    return [(x, truth, 0.3), (x[:1], truth[:1], 0.8)]


def _with(fault: str) -> Callable[..., None]:
    return lambda *a: _round(*a, fault=fault)


ch09_round = Exercise(
    reference=_round,
    cases=_pairs,
    run=_played,
    mistakes={
        "the generator goes first: it should face a critic that has just learned": _with("generator first"),
        "both at once: the generator's loss needs the critic after its step": _with("at once"),
        "the critic never learns: it has a loss and an optimiser of its own": _with("no critic"),
        "the critic's gradients are kept: the generator's backward pass left some in it, so clear them": _with("kept"),
        "the critic moves in the generator's turn: only adam_G may step there": _with("both"),
        "the generator helps the critic: it wants its images to score 1": _with("label"),
        "eta on the wrong side: it weighs the pixels": _with("eta"),
    },
)


def _errors() -> list[tuple[Tensor, Sense]]:
    """Images and one coil of sensitivity 1, for two masks."""
    found = []
    for e, mask in zip(images((8, 8), (6, 7)), ([1.0, 0, 1, 0, 1, 1, 0, 1], [0.0, 1, 0, 1, 1, 0, 0])):
        found.append((e, Sense(torch.tensor(mask).reshape(1, 1, 1, -1), torch.ones(1, 1, *e.shape[1:]) + 0j)))
    return found


ch09_unseen = Exercise(
    reference=lambda e, A: e - A.H(A(e)),
    cases=_errors,
    mistakes={
        "the part that the data see: take it away from the whole": lambda e, A: A.H(A(e)),
        "the whole error: which part of it would change the data?": lambda e, A: e,
        "twice taken away: A^H A is applied once": lambda e, A: e - 2 * A.H(A(e)),
        "magnitudes too early: errors are complex until the end": lambda e, A: (e.abs() + 0j) - A.H(A(e.abs() + 0j)),
        "a part added, not taken away: what the data see must vanish": lambda e, A: e + A.H(A(e)),
    },
    differentiable=True,
)
