"""Chapter 06, training: one step of Adam, one step of a training loop."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss

from ..exercise import Exercise

Three = tuple[Tensor, Tensor, Tensor]
Loss = Callable[[Tensor, Tensor], Tensor]


def _adam(theta: Tensor, g: Tensor, m: Tensor, v: Tensor, t: int, lr: float) -> Three:
    """PyTorch's own, in the state of step t."""
    weights = nn.Parameter(theta.detach().clone())
    optimiser = torch.optim.Adam([weights], lr=lr)
    weights.grad = g.detach().clone()
    state = {"step": torch.tensor(t - 1.0), "exp_avg": m.detach().clone(), "exp_avg_sq": v.detach().clone()}
    optimiser.state[weights] = state
    optimiser.step()
    return weights.detach(), state["exp_avg"], state["exp_avg_sq"]


def _changed(
    theta: Tensor,
    g: Tensor,
    m: Tensor,
    v: Tensor,
    t: int,
    lr: float,
    beta: tuple[float, float] = (0.9, 0.999),
    power: int | None = None,
    root: float = 0.5,
    kept: bool = False,
) -> Three:
    """Adam with something changed: the betas, the power in the correction, the root, which means are kept."""
    m, v = beta[0] * m + (1 - beta[0]) * g, beta[1] * v + (1 - beta[1]) * g.square()
    power = t if power is None else power
    fair_m, fair_v = (a / (1 - b**power) if power else a for a, b in zip((m, v), beta))
    theta = theta - lr * fair_m / (fair_v**root + 1e-8)
    return (theta, fair_m, fair_v) if kept else (theta, m, v)


def _late(theta: Tensor, g: Tensor, m: Tensor, v: Tensor, t: int, lr: float) -> Three:
    _, m_new, v_new = _adam(theta, g, m, v, t, lr)
    return theta - lr * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8), m_new, v_new


def _states() -> list[tuple]:
    """The first step, with a weight that has no gradient; two later ones."""
    rng = torch.Generator().manual_seed(9)
    theta, g, m, v = torch.randn(4, 6, generator=rng)
    first = (theta, g * (torch.arange(6) > 0), torch.zeros(6), torch.zeros(6), 1, 0.1)
    return [first, (theta, g, m, v.abs(), 2, 0.1), (theta[:5], g[:5], m[:5], v[:5].square(), 30, 0.03)]


ch06_adam = Exercise(
    reference=_adam,
    cases=_states,
    mistakes={
        "no correction: the means start at 0, so divide them by 1 - beta^t": lambda *a: _changed(*a, power=0),
        "correction without its power: divide by 1 - beta^t, which goes to 1": lambda *a: _changed(*a, power=1),
        "root missing: divide by the square root of v": lambda *a: _changed(*a, root=1.0),
        "betas exchanged: 0.9 belongs to m, 0.999 to v": lambda *a: _changed(*a, beta=(0.999, 0.9)),
        "corrected means are kept: hand on m and v as they were before the correction": lambda *a: _changed(
            *a, kept=True
        ),
        "old means in the step: first m and v, then the step with them": _late,
        "uphill: the step is subtracted": lambda theta, *a: (2 * theta - _adam(theta, *a)[0], *_adam(theta, *a)[1:]),
    },
)


def _trained(step: Callable, x: Tensor, truth: Tensor, loss: Loss, steps: int) -> tuple[Any, ...]:
    """From the same network: the weights after some steps, what was returned, and whether that holds a graph."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        net = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.Tanh(), nn.Conv2d(3, 2, 3, padding=1))
    optimiser = torch.optim.SGD(net.parameters(), lr=0.3)
    try:
        said = [step(net, optimiser, x, truth, loss) for _ in range(steps)]
    except RuntimeError as error:
        if "modified by an inplace operation" not in str(error):
            raise
        return ("the weights changed between forward and backward",)
    weights = torch.cat([p.detach().flatten() for p in net.parameters()])
    graph = any(isinstance(value, Tensor) and value.requires_grad for value in said)
    return weights, *(value.detach() if isinstance(value, Tensor) else value for value in said), graph


def _step(
    net: nn.Module, optimiser: torch.optim.Optimizer, x: Tensor, truth: Tensor, loss: Loss, order: str = "zbs"
) -> Tensor:
    """z: zero_grad, b: backward, s: step, in the given order; returns the loss with its graph."""
    value = loss(net(x), truth)
    for letter in order:
        {"z": optimiser.zero_grad, "b": value.backward, "s": optimiser.step}[letter]()
    return value


def _early(net: nn.Module, optimiser: torch.optim.Optimizer, x: Tensor, truth: Tensor, loss: Loss) -> float:
    optimiser.step()
    return _step(net, optimiser, x, truth, loss, order="zb").item()


def _after(net: nn.Module, optimiser: torch.optim.Optimizer, x: Tensor, truth: Tensor, loss: Loss) -> float:
    _step(net, optimiser, x, truth, loss)
    return loss(net(x), truth).item()


def _pictures() -> list[tuple]:
    rng = torch.Generator().manual_seed(2)
    x, truth = torch.randn(2, 2, 2, 6, 5, generator=rng)
    return [(x[:1], truth[:1], mse_loss, 1), (x, truth, mse_loss, 3), (x, truth, l1_loss, 2)]


ch06_step = Exercise(
    reference=lambda *a: _step(*a).item(),
    cases=_pictures,
    run=_trained,
    mistakes={
        "zero_grad missing: backward adds to the gradients that are there": lambda *a: _step(*a, order="bs").item(),
        "the weights do not move: backward makes the gradients, step uses them, and nothing may clear them between": (
            lambda *a: _step(*a, order="bz").item()
        ),
        "step before backward: the step takes the gradients of the call before": _early,
        "step before backward: nothing may change the weights between the forward and the backward pass": lambda *a: (
            _step(*a, order="szb").item()
        ),
        "the loss keeps its graph: return loss.item(), or memory grows with every step": lambda *a: _step(*a),
        "the loss after the step: return the one that the gradients belong to": _after,
        "another loss: use the one that is handed over": lambda net, o, x, truth, loss: _step(
            net, o, x, truth, mse_loss
        ).item(),
        "x and truth exchanged: the network sees x": lambda net, o, x, truth, loss: _step(
            net, o, truth, x, loss
        ).item(),
    },
)
