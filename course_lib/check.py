"""Is a method what it says it is? The contract every method keeps, and the claims each makes of itself.

Tests, notebooks and the command line call the same `check`.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import torch

from .data.phantom import phantom_sample
from .data.sample import Sample, stack
from .methods import METHODS, Reconstructor, card


@dataclass(frozen=True)
class Result:
    """One sentence about a method, and whether it is true."""

    sentence: str
    holds: bool
    why: str = ""

    def __str__(self) -> str:
        return f"{'✓' if self.holds else '✗'} {self.sentence}" + (f": {self.why}" if self.why else "")


def small(name: str, seed: int = 0, size: tuple[int, int] | None = None) -> Reconstructor:
    """The method at its smallest, with weights that do something (last layers that start at zero are stirred).

    size: of the images it will meet, which matters only to a method that is built for one size.
    """
    torch.manual_seed(seed)
    settings = card(name).small
    model = card(name).build(**settings | ({"size": size} if size and "size" in settings else {}))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1 and not parameter.any():
                parameter.normal_(std=0.02)
    return model


def phantom(name: str, height: int = 32, width: int = 32, coils: int = 4, seed: int = 0) -> Sample:
    """A phantom sampled as the method needs it."""
    return phantom_sample(height, width, coils, seed=seed, mask=card(name).sampling, extra=card(name).extra)


def claims(name: str) -> dict[str, Callable]:
    """The claims of a method: sentence -> function(model, sample)."""
    module = sys.modules[card(name).cls.__module__]
    found = {key: value for key, value in vars(module).items() if key.startswith("claim_")}
    return {key.removeprefix("claim_").replace("_", " "): value for key, value in found.items()}


def contract() -> dict[str, Callable]:
    """What every method keeps: sentence -> function(name)."""
    keeps = (
        gives_one_finite_complex_image_a_sample,
        works_with_one_coil_and_odd_sizes,
        treats_every_sample_of_a_batch_on_its_own,
        has_a_gradient_for_every_parameter,
        lowers_its_loss_in_twenty_steps,
        states_its_problem_as_an_equation,
    )
    return {f.__name__.replace("_", " "): f for f in keeps}


def check(name: str | None = None) -> list[Result]:
    """Contract and claims of one method, or of all."""
    return [result for each in ([name] if name else METHODS) for result in _check(each)]


def _check(name: str) -> list[Result]:
    results = [_try(f"{name} {text}", lambda f=f: f(name)) for text, f in contract().items()]
    sample = phantom(name)
    return results + [_try(f"{name}: {text}", lambda f=f: f(small(name), sample)) for text, f in claims(name).items()]


def gives_one_finite_complex_image_a_sample(name: str) -> None:
    _reconstruct(name, phantom(name))


def works_with_one_coil_and_odd_sizes(name: str) -> None:
    _reconstruct(name, phantom(name, height=31, width=27, coils=1))


def treats_every_sample_of_a_batch_on_its_own(name: str) -> None:
    first, second = phantom(name, seed=1), phantom(name, seed=2)
    both, alone = _reconstruct(name, stack([first, second])), _reconstruct(name, second)
    assert (both[1] - alone[0]).abs().max() < 1e-4, "a sample changes when another stands beside it"


def has_a_gradient_for_every_parameter(name: str) -> None:
    model = small(name)
    if any(True for _ in model.parameters()):
        losses = model.loss(phantom(name)), model.critic_loss(phantom(name))
        torch.stack([loss for loss in losses if loss is not None]).sum().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), f"no gradient reaches {key}"


def lowers_its_loss_in_twenty_steps(name: str) -> None:
    model, sample = small(name), phantom(name)
    if not any(True for _ in model.parameters()):
        return
    optimiser = torch.optim.Adam(model.own(), lr=1e-3)
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        loss = model.loss(sample)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0], f"the loss went from {losses[0]:.4g} to {losses[-1]:.4g}"


def states_its_problem_as_an_equation(name: str) -> None:
    text = sys.modules[card(name).cls.__module__].__doc__ or ""
    assert "=" in text or "min_" in text, "the module's docstring holds no equation"
    assert claims(name), "the module makes no claim"


def _reconstruct(name: str, sample: Sample) -> torch.Tensor:
    with torch.no_grad():
        x = small(name, size=(sample.image.shape[-2], sample.image.shape[-1]))(sample.kspace, sample.A)
    assert x.shape == sample.image.shape, f"expected {tuple(sample.image.shape)}, found {tuple(x.shape)}"
    assert x.dtype == sample.image.dtype, f"expected {sample.image.dtype}, found {x.dtype}"
    assert x.isfinite().all(), "not finite"
    return x


def _try(sentence: str, test: Callable[[], None]) -> Result:
    try:
        test()
    except Exception as error:  # a claim that breaks is a claim that does not hold
        return Result(sentence, False, f"{type(error).__name__} {error}".strip())
    return Result(sentence, True)
