"""How a wrong array relates to the right one: its conjugate, a multiple, its real part, a shifted copy, ..."""

from typing import Any, NamedTuple

import torch
from torch import Tensor


class Mistake(NamedTuple):
    """A name, and what to think about."""

    name: str
    words: str


def differs(answer: Any, expected: Any, tolerance: float) -> Mistake | None:
    """None when the answer is right; else what is wrong: kind, number of results, shape, dtype or values."""
    if answer is None:
        return Mistake("it returns nothing", "is there a `return` at the end?")
    if isinstance(expected, (tuple, list)):
        if not isinstance(answer, (tuple, list)) or len(answer) != len(expected):
            return Mistake("wrong number of results", f"expected {len(expected)} of them")
        found = (differs(a, e, tolerance) for a, e in zip(answer, expected))
        return next((wrong for wrong in found if wrong), None)
    if not isinstance(expected, Tensor):
        return _number(answer, expected, tolerance)
    if not isinstance(answer, Tensor):
        return Mistake("wrong kind of result", f"expected a tensor, found {_kind(answer)}")
    if answer.shape != expected.shape:
        return Mistake("wrong shape", _shapes(answer, expected))
    if answer.is_complex() != expected.is_complex():
        return relation(answer, expected, tolerance) or Mistake(
            "wrong dtype", f"expected {expected.dtype}, found {answer.dtype}"
        )
    if not answer.isfinite().all():
        return Mistake("not finite", "there is a NaN or an infinity: a division by zero, a root of something negative?")
    return None if _close(answer, expected, tolerance) else Mistake("wrong values", _distance(answer, expected))


def relation(answer: Any, expected: Any, tolerance: float) -> Mistake | None:
    """The simple operation that leads from the right array to this one, if there is one."""
    if not isinstance(answer, Tensor) or not isinstance(expected, Tensor) or answer.shape != expected.shape:
        return None
    if answer.is_complex() != expected.is_complex() and _close(answer, expected, tolerance):
        stored, wanted = (str(v.dtype).removeprefix("torch.") for v in (answer, expected))
        return Mistake("wrong dtype", f"values right, stored as {stored}, expected {wanted}")
    for mistake, wrong in _candidates(expected).items():
        if _close(answer, wrong, tolerance) and not _close(wrong, expected, tolerance):
            return mistake
    return _multiple(answer, expected, tolerance)


def _candidates(true: Tensor) -> dict[Mistake, Tensor]:
    wrong: dict[Mistake, Tensor] = {}
    if true.is_complex():
        wrong[Mistake("real part only", "the imaginary part is lost")] = true.real
        wrong[Mistake("magnitude only", "the phase is lost")] = true.abs()
        wrong[Mistake("conjugate", "yours is the complex conjugate of what it should be")] = true.conj()
    if true.ndim >= 2:
        axes = (-2, -1)
        wrong[Mistake("shift on the wrong side", "yours is moved by half the field of view")] = torch.fft.fftshift(
            true, axes
        )
        chequered = (-1.0) ** (torch.arange(true.shape[-2])[:, None] + torch.arange(true.shape[-1]))
        wrong[Mistake("shift missing on the other side", "signs alternate from pixel to pixel")] = true * chequered
        wrong[Mistake("upside down", "height and width are both reversed")] = true.flip(axes)
        wrong[Mistake("transposed", "height and width are exchanged")] = true.mT
    return {mistake: array for mistake, array in wrong.items() if array.shape == true.shape}


def _multiple(answer: Tensor, true: Tensor, tolerance: float) -> Mistake | None:
    a, t = (v.detach().to(torch.complex128).flatten() for v in (answer, true))
    if not t.any() or not a.any():
        return None
    factor = (torch.vdot(t, a) / torch.vdot(t, t)).item()
    if not _close(a, factor * t, tolerance):
        return None
    if abs(factor + 1) < tolerance:
        return Mistake("wrong sign", "yours is -1 times what it should be")
    size = f"{factor.real:.4g}" if abs(factor.imag) < tolerance * abs(factor) else f"{factor:.3g}"
    return Mistake("wrong normalisation", f"yours is {size} times what it should be")


def _close(answer: Tensor, expected: Tensor, tolerance: float) -> bool:
    if answer.is_complex() != expected.is_complex() and not answer.is_complex():
        answer = answer.to(expected.dtype)
    difference = (answer.detach() - expected.detach()).abs().max() if expected.numel() else torch.zeros(())
    return bool(difference <= tolerance * max(float(expected.detach().abs().max()) if expected.numel() else 0, 1e-30))


def _number(answer: Any, expected: Any, tolerance: float) -> Mistake | None:
    if isinstance(expected, (bool, str)):
        return None if answer == expected else Mistake("wrong answer", f"expected {expected!r}, found {answer!r}")
    try:
        value = complex(answer)
    except (TypeError, ValueError, RuntimeError):
        return Mistake("wrong kind of result", f"expected a number, found {_kind(answer)}")
    if abs(value - expected) <= tolerance * max(abs(expected), 1e-30):
        return None
    return Mistake("wrong values", f"expected {expected:.6g}, found {answer:.6g}")


def _shapes(answer: Tensor, expected: Tensor) -> str:
    words = f"expected {tuple(expected.shape)}, found {tuple(answer.shape)}"
    if sorted(answer.shape) == sorted(expected.shape):
        return words + "; the axes stand in another order"
    if answer.numel() == expected.numel():
        return words + "; the numbers are as many, the axes are not"
    return words


def _distance(answer: Tensor, expected: Tensor) -> str:
    error = (answer.detach() - expected.detach()).abs().max() / expected.detach().abs().max().clamp_min(1e-30)
    return f"the largest error is {float(error):.2g} of the largest value"


def _kind(answer: Any) -> str:
    shape = getattr(answer, "shape", None)
    return type(answer).__name__ + (f" of shape {tuple(shape)}" if shape is not None else "")
