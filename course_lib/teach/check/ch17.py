"""Chapter 17: lines shared by frames, what a mean over time does to a volume, and point spread in time."""

from collections.abc import Callable

import torch
from torch import Tensor

from ...clinical import ejection_fraction
from ...sampling import psf
from ..exercise import Exercise

Blend = Callable[[Tensor, Tensor, Tensor, Tensor, int], Tensor]  # (total, count, y, mask, reach) -> k


# ---------------------------------------------------------------- frames share their lines
def _measured() -> list[tuple[Tensor, Tensor, int]]:
    rng = torch.Generator().manual_seed(3)
    found = []
    for frames, width, reach in ((6, 9, 1), (7, 8, 2)):
        mask = (torch.rand(1, 1, frames, 1, width, generator=rng) < 0.4).float()
        y = torch.randn(1, 2, frames, 3, width, dtype=torch.complex64, generator=rng) * mask
        found.append((y, mask, reach))
    return found


def _moved(x: Tensor, by: int, axis: int = 2, circle: bool = True) -> Tensor:
    moved = x.roll(by, axis)
    if not circle and by:
        moved.narrow(axis, 0 if by > 0 else x.shape[axis] + by, abs(by)).zero_()
    return moved


def _shared(
    blend: Blend = lambda total, count, y, mask, reach: torch.where(mask > 0, y, total / count.clamp_min(1)),
    window: Callable[[int], range] = lambda reach: range(-reach, reach + 1),
    axis: int = 2,
    circle: bool = True,
) -> Callable[[Tensor, Tensor, int], Tensor]:
    def share(y: Tensor, mask: Tensor, reach: int) -> Tensor:
        total, count = (sum(_moved(a, by, axis, circle) for by in window(reach)) for a in (y, mask))
        return blend(total, count, y, mask, reach)  # pyright: ignore

    return share


ch17_share = Exercise(
    reference=_shared(),
    cases=_measured,
    mistakes={
        "own lines averaged away: what a frame measured itself stays as it is": _shared(
            lambda total, count, y, mask, reach: total / count.clamp_min(1)
        ),
        "divided by the length of the window: a frame counts only where it has the line; add up the masks": _shared(
            lambda total, count, y, mask, reach: torch.where(mask > 0, y, total / (2 * reach + 1))
        ),
        "a sum, no mean: divide by how many frames have the line": _shared(
            lambda total, count, y, mask, reach: torch.where(mask > 0, y, total)
        ),
        "the film is no circle: the last frame stands before the first": _shared(circle=False),
        "one side only: the window reaches into the future, too": _shared(window=lambda n: range(n + 1)),
        "one side only: the window reaches into the past, too": _shared(window=lambda n: range(-n, 1)),
        "half a window: it holds `reach` frames on each side": _shared(
            window=lambda n: range(-(n // 2), n // 2 + 1)
        ),
        "other axis: time is the third, (batch, coil, time, height, width)": _shared(axis=-1),
        "only the others: a frame has its own lines, too": _shared(
            lambda total, count, y, mask, reach: (1 - mask) * total / count.clamp_min(1)
        ),
    },
    differentiable=True,
)  # fmt: skip


# ---------------------------------------------------------------- an ejection fraction after a mean over time
def _beats() -> list[tuple[Tensor, int]]:
    rng = torch.Generator().manual_seed(4)
    return [(60 + 40 * torch.rand(n, generator=rng, dtype=torch.float64), reach) for n, reach in ((9, 1), (12, 2))]


def _blunted(
    judge: Callable[[Tensor], Tensor] = ejection_fraction,
    window: Callable[[int], range] = lambda reach: range(-reach, reach + 1),
    divide: bool = True,
) -> Callable[[Tensor, int], Tensor]:
    def blunted(volumes: Tensor, reach: int) -> Tensor:
        frames = torch.stack([volumes.roll(by) for by in window(reach)])
        return judge(frames.mean(0) if divide else frames.sum(0))

    return blunted


def _ends_repeated(volumes: Tensor, reach: int) -> Tensor:
    padded = torch.cat([volumes[:1].expand(reach), volumes, volumes[-1:].expand(reach)])
    return ejection_fraction(padded.unfold(0, 2 * reach + 1, 1).mean(-1))


ch17_blunted = Exercise(
    reference=_blunted(),
    cases=_beats,
    mistakes={
        "over the smallest volume: what is ejected is a part of the largest": _blunted(
            lambda v: (v.amax() - v.amin()) / v.amin()
        ),
        "stroke volume: divide what is ejected by the largest volume": _blunted(lambda v: v.amax() - v.amin()),
        "over the largest volume before the mean: the blunted curve has a largest volume of its own": (
            lambda v, n: _blunted(lambda w: w.amax() - w.amin())(v, n) / v.amax()
        ),
        "no mean taken: that is the ejection fraction of the curve itself": lambda v, n: ejection_fraction(v),
        "window too short: it holds `reach` frames on each side of the middle one": _blunted(
            window=lambda n: range(n + 1)
        ),
        "only full windows: a beat is a circle, its last frame stands before the first": lambda v, n: ejection_fraction(
            v.unfold(0, 2 * n + 1, 1).mean(-1)
        ),
        "the ends are repeated: a beat is a circle, its last frame stands before the first": _ends_repeated,
        "percent: return a fraction": lambda v, n: 100 * _blunted()(v, n),
    },
)


# ---------------------------------------------------------------- point spread in time
def _patterns() -> list[tuple[Tensor]]:
    rng = torch.Generator().manual_seed(6)
    return [((torch.rand(frames, width, generator=rng) < 0.5).float(),) for frames, width in ((4, 8), (5, 9))]


def _over_k(mask: Tensor) -> Tensor:
    """The transform along k alone, the middle in the middle."""
    return torch.fft.fftshift(torch.fft.ifft(torch.fft.ifftshift(mask, -1)), -1)


ch17_spread = Exercise(
    reference=lambda mask: psf(mask).abs(),
    cases=_patterns,
    mistakes={
        "not divided: the peak in the middle is 1": lambda mask: psf(mask).abs() * mask.sum(),
        "divided by all samples: only those that were acquired make the peak, which is 1": lambda mask: (
            psf(mask).abs() * mask.mean()
        ),
        "orthonormal only: divide by the peak in the middle, so that it is 1": lambda mask: (
            psf(mask).abs() * mask.sum() / mask.numel() ** 0.5
        ),
        "the middle lies in the corner: f = 0 belongs to row time // 2, x = 0 to column width // 2": lambda mask: (
            torch.fft.ifftshift(psf(mask).abs())
        ),
        "frame by frame: transform along time, too": lambda mask: _over_k(mask).abs() / mask.mean(-1, keepdim=True),
        "magnitudes are asked for: a spread has a phase, which no figure shows": psf,
        "energy: take the magnitude, not its square": lambda mask: psf(mask).abs().square(),
        "turned: rows are temporal frequencies, columns are places": lambda mask: psf(mask).abs().mT,
    },
)  # fmt: skip
