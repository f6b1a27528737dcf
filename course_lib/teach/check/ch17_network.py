"""Chapter 17, the network: states that run over time, and the iterations of CRNN."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ...blocks import Recurrent, as_complex, as_real
from ...methods.base import Reconstructor
from ...methods.unrolled.crnn import CRNN
from ...ops import Sense
from ...solve import shifted_inverse
from ..exercise import Exercise
from .ch08_network import films


# ---------------------------------------------------------------- states that run over time
def _stirred(module: nn.Module) -> list[nn.Parameter]:
    """All parameters but lam, the same at every call."""
    rng = torch.Generator().manual_seed(5)
    for p in (own := list(module.parameters())):
        if p.ndim:
            nn.init.normal_(p, std=0.2, generator=rng)
    return own


def _answer(x: Any, parameters: list[nn.Parameter]) -> list:
    """What came out, and the gradients of its energy with respect to every parameter (0 where none arrives)."""
    if not isinstance(x, Tensor) or not x.requires_grad:
        return [x, *(torch.zeros_like(p) for p in parameters)]
    found = torch.autograd.grad(x.abs().square().sum(), parameters, allow_unused=True)
    return [x.detach(), *(torch.zeros_like(p) if g is None else g for g, p in zip(found, parameters))]


def _sweep(block: Any, u: Tensor) -> Any:
    module = block(3)
    parameters = _stirred(module)
    return _answer(module.over_time(u), parameters)


def _walk(
    module: Recurrent,
    u: Tensor,
    h: Tensor | None = None,
    act: Callable[[Tensor], Tensor] = torch.relu,
    read: bool = True,
) -> Tensor:
    h, found = torch.zeros_like(u[0]) if h is None else h, []
    for now in u:
        h = act(now + module.T(h)) if read else act(now)
        found.append(h)
    return torch.stack(found)


def _time(over_time: Callable[[Recurrent, Tensor], Any]) -> type[Recurrent]:
    return type("Wrong", (Recurrent,), {"over_time": over_time})


def _on(self: Recurrent, u: Tensor) -> Tensor:
    there = _walk(self, u)
    return there + _walk(self, u.flip(0), there[-1]).flip(0)


def _inputs() -> list[tuple[Tensor]]:
    rng = torch.Generator().manual_seed(8)
    return [(torch.randn(*shape, generator=rng),) for shape in ((4, 2, 3, 5, 6), (3, 1, 3, 4, 4))]


ch17_over_time = Exercise(
    reference=Recurrent,
    cases=_inputs,
    run=_sweep,
    mistakes={
        "one direction only: the film also runs backwards, add both": _time(_walk),
        "only backwards: the film also runs forwards, add both": _time(lambda self, u: _walk(self, u.flip(0)).flip(0)),
        "the way back is not turned round: its first state belongs to the last frame": _time(
            lambda self, u: _walk(self, u) + _walk(self, u.flip(0))
        ),
        "the way back goes on from the way there: both start with the state 0": _time(_on),
        "ReLU missing: without it all steps are one linear map": _time(
            lambda self, u: _walk(self, u, act=lambda h: h) + _walk(self, u.flip(0), act=lambda h: h).flip(0)
        ),
        "ReLU too late: it belongs to every step, not to the sum": _time(
            lambda self, u: (_walk(self, u, act=lambda h: h) + _walk(self, u.flip(0), act=lambda h: h).flip(0)).relu()
        ),
        "no recurrence: the state of the frame before must pass T and be added": _time(
            lambda self, u: 2 * _walk(self, u, read=False)
        ),
        "a mean: the two directions are added": _time(
            lambda self, u: (_walk(self, u) + _walk(self, u.flip(0)).flip(0)) / 2
        ),
    },
)  # fmt: skip


# ---------------------------------------------------------------- the iterations of CRNN
Step = Callable[..., tuple[Tensor, Any]]  # (model, propose, x, states, AHy, solve) -> x, states


def _run(network: Callable[..., Any], settings: dict, y: Tensor, A: Sense) -> list:
    model = network(**settings, width=3)
    parameters = _stirred(model)
    return _answer(model.forward(y, A), parameters)


def _wrong(step: Step, shift: Callable[[Any], Tensor] = lambda model: 1 / model.lam) -> type[Reconstructor]:
    """CRNN with this step; propose(x, states) -> what f adds to x, states."""

    class Wrong(CRNN):
        def forward(self, y, A):
            def propose(x, states):
                correction, states = self.f(as_real(x).movedim(2, 0), states)
                return as_complex(correction.movedim(0, 2)), states

            x, states = A.H(y), None
            AHy, solve = x, shifted_inverse(A, shift(self), self.cg_iterations)
            for _ in range(self.iterations):
                x, states = step(self, propose, x, states, AHy, solve)
            return x

    return Wrong


def _stepping(
    z: Callable[..., Tensor] = lambda x, change, AHy: x + change,
    data: Callable[..., Tensor] = lambda model, z, AHy, solve: solve(AHy + z / model.lam, z),
    kept: Callable[[Any], Any] = lambda states: states,
) -> Step:
    def step(model, propose, x, states, AHy, solve):
        change, states = propose(x, states)
        return data(model, z(x, change, AHy), AHy, solve), kept(states)

    return step


def _data_first(model, propose, x, states, AHy, solve):
    x = solve(AHy + x / model.lam, x)
    change, states = propose(x, states)
    return x + change, states


def _cut(model, propose, x, states, AHy, solve):
    return _stepping()(model, propose, x.detach(), states, AHy, solve)


ch17_crnn = Exercise(
    reference=CRNN,
    cases=lambda: [({"iterations": 3, "lam": lam}, *film) for film, lam in zip(films(), (3.0, 0.7))],
    run=_run,
    mistakes={
        "the states are forgotten: f returns them, hand them to f in the next iteration": _wrong(
            _stepping(kept=lambda states: None)
        ),
        "the gradient stops in the states: do not detach them": _wrong(
            _stepping(kept=lambda states: [h.detach() for h in states])
        ),
        "the data are forgotten: after f comes the step that solves for x": _wrong(
            _stepping(data=lambda model, z, AHy, solve: z)
        ),
        "A^H y is missing: it stands in every right-hand side": _wrong(
            _stepping(data=lambda model, z, AHy, solve: solve(z / model.lam, z))
        ),
        "x is missing: f finds a correction, z = x + f(x)": _wrong(_stepping(lambda x, change, AHy: change)),
        "every iteration starts anew: it must go on from the x of the one before": _wrong(
            _stepping(lambda x, change, AHy: AHy + change)
        ),
        "lambda on the wrong side: the system is (A^H A + 1/lam) x = A^H y + z/lam": _wrong(
            _stepping(data=lambda model, z, AHy, solve: solve(AHy + z * model.lam, z))
        ),
        "lambda only on the left: the right-hand side is A^H y + z/lam": _wrong(
            _stepping(data=lambda model, z, AHy, solve: solve(AHy + z, z))
        ),
        "another shift than in the right-hand side: with data that agree, z must stay z": _wrong(
            _stepping(), lambda model: model.lam
        ),
        "data consistency before the network: the last word would be the network's": _wrong(_data_first),
        "the gradient stops between iterations: all of them are trained together": _wrong(_cut),
    },
)  # fmt: skip
