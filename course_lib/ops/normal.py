"""The fast normal operator A^H A of Cartesian SENSE, exact to rounding. Every iterative method spends its time here.

Shifts cancel between F and F^H once the mask is ifftshift-ed. Of the rest, the mask decides:

    periodic along W (uniform, or full)   F^H M F only mixes pixels W / R apart: no FFT, an R x R matrix per pixel
                                          (SENSE unfolding, Pruessmann et al., Magn. Reson. Med. 1999)
    constant along H (lines)              the readout transform cancels: FFTs along W only
    anything else                         2-D FFTs of a few coils at a time

Work goes through blocks that stay in the cache. n conj(ifft(v)) = fft(conj(v)) saves a conjugated copy of the maps.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

CACHE = 100_000  # complex numbers a CPU core keeps close: 0.8 MB
ACCELERATOR = 2**27  # complex numbers at once on any other device: 1 GB
LARGEST_PERIOD = 12  # beyond it the R x R matrices cost more than FFTs


def sense_normal(mask: Tensor, maps: Tensor) -> Callable[[Tensor], Tensor]:
    """Prepare x -> A^H A x for A = Sense(mask, maps). Gradients flow through x, not through mask and maps."""
    weights = mask.detach().squeeze(1).square()
    dtype = torch.promote_types(maps.dtype, weights.dtype)
    apply = prepare(weights, maps.detach().to(dtype))

    lead = torch.broadcast_shapes(weights.shape[:-2], maps.shape[:1] + maps.shape[2:-2])

    def normal(x: Tensor) -> Tensor:
        if x.shape[:-2] != lead:
            x = x.expand(*torch.broadcast_shapes(x.shape[:-2], lead), -1, -1)
        x = x.to(torch.promote_types(x.dtype, dtype))
        return SelfAdjoint.apply(x, apply) if x.requires_grad and torch.is_grad_enabled() else apply(x)

    return normal


class SelfAdjoint(torch.autograd.Function):
    """Differentiate x -> apply(x), linear and its own adjoint: the gradient is apply(gradient)."""

    @staticmethod
    def forward(ctx, x, apply):
        ctx.operator = apply
        return apply(x)

    @staticmethod
    def backward(ctx, grad):
        return SelfAdjoint.apply(grad, ctx.operator), None


def prepare(weights: Tensor, maps: Tensor) -> Callable[[Tensor], Tensor]:
    """Choose the cheapest form. weights (batch or 1, *extra, height or 1, width), maps with the coils on axis 1."""
    if weights.shape[-2] > 1 and not torch.equal(weights, weights[..., :1, :].expand_as(weights)):
        signs = _signed(torch.fft.ifftshift(weights, dim=(-2, -1)), axes=2).unsqueeze(-3)
        planes = maps.movedim(1, -3).contiguous()
        return lambda x: _each(_full, x, planes, signs)
    line = torch.fft.ifftshift(weights[..., 0, :], dim=-1)
    period = _period(line.cpu())
    if period <= LARGEST_PERIOD:
        gram = _gram(line[..., :period], maps)
        return lambda x: _fold(x, gram)
    rows = maps.movedim(1, -2).contiguous()
    signs = _signed(line, axes=1)[..., None, None, :]
    return lambda x: _each(_lines, x, rows, signs)


def _period(line: Tensor) -> int:
    """The smallest divisor of the width with which `line` repeats."""
    width = line.shape[-1]
    return next(n for n in range(1, width + 1) if width % n == 0 and torch.equal(line[..., n:], line[..., : width - n]))


def _gram(line: Tensor, maps: Tensor) -> Tensor:
    """(period, batch, *extra, height, period, width / period): entry [b, ..., a, n] couples pixel (a, n) to (b, n)."""
    period = line.shape[-1]
    coils = maps.movedim(1, 0).unflatten(-1, (period, -1))
    gram = coils.new_zeros(period, *coils.shape[1:])
    for coil in coils:
        conj = coil.conj().resolve_conj()
        for b in range(period):
            gram[b].addcmul_(conj, coil[..., b : b + 1, :])
    alias = torch.fft.ifft(line)[..., (torch.arange(period) - torch.arange(period)[:, None]) % period]
    return gram * alias.movedim(-2, 0)[..., None, :, None]


def _fold(x: Tensor, gram: Tensor) -> Tensor:
    x = x.unflatten(-1, (len(gram), -1))
    y = gram[0] * x[..., :1, :]
    for b in range(1, len(gram)):
        y.addcmul_(gram[b], x[..., b : b + 1, :])
    return y.flatten(-2)


def _each(kernel: Callable, x: Tensor, maps: Tensor, signs: Tensor) -> Tensor:
    """Call `kernel` with one leading axis: maps for all samples, or one for each; else go through the samples."""
    if x.ndim == 3:
        return kernel(x, maps, signs)
    lead = x.shape[:-2]
    if maps.shape[:-3].numel() == 1 or maps.shape[:-3] == lead:
        if signs.shape[:-3].numel() > 1:
            signs = signs.expand(*lead, -1, -1, -1)
        return kernel(*(a.reshape(-1, *a.shape[-n:]) for a, n in ((x, 2), (maps, 3), (signs, 3)))).view(x.shape)
    axis = next(i for i, n in enumerate(lead) if n > 1)
    pick = lambda a, i: a if a.shape[axis] == 1 else a.narrow(axis, i, 1)  # noqa: E731
    return torch.cat([_each(kernel, *(pick(a, i) for a in (x, maps, signs))) for i in range(lead[axis])], axis)


def _lines(x: Tensor, maps: Tensor, signs: Tensor) -> Tensor:
    """x (n, height, width), maps (n or 1, height, coil, width), signs (n or 1, 1, 1, 2 width)."""
    y = torch.empty_like(x, memory_format=torch.contiguous_format)
    for samples, rows in _blocks(x, len(x), x.shape[1], maps[0, 0].numel()):
        block = maps[samples if len(maps) > 1 else slice(None), rows]
        spectrum = torch.fft.fft(block * x[samples, rows, None]).contiguous()
        spectrum.view(spectrum.dtype.to_real()).mul_(signs[samples] if len(signs) > 1 else signs)
        torch.sum(torch.fft.fft(spectrum).mul_(block), -2, out=y[samples, rows])
    return y.conj_physical_()


def _full(x: Tensor, maps: Tensor, signs: Tensor) -> Tensor:
    """x (n, height, width), maps (n or 1, coil, height, width), signs (n or 1, 1, height, 2 width)."""
    y = torch.zeros_like(x, memory_format=torch.contiguous_format)
    for samples, coils in _blocks(x, len(x), maps.shape[1], x[0].numel()):
        block = maps[samples if len(maps) > 1 else slice(None), coils]
        spectrum = torch.fft.fft2(block * x[samples, None]).contiguous()
        spectrum.view(spectrum.dtype.to_real()).mul_(signs[samples] if len(signs) > 1 else signs)
        for coil in torch.fft.fft2(spectrum).mul_(block).unbind(1):
            y[samples] += coil
    return y.conj_physical_()


def _signed(weights: Tensor, axes: int) -> Tensor:
    """(..., width) -> (..., 2 width): factors w, -w for real and imaginary parts, so that v becomes w conj(v).

    They also hold the 1 / n of an inverse transform over the last `axes` axes.
    """
    weights = weights / weights.shape[-axes:].numel()
    return weights.repeat_interleave(2, -1) * weights.new_tensor([1, -1]).repeat(weights.shape[-1])


def _blocks(x: Tensor, samples: int, parts: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Cut samples x parts, each part of `size` numbers, into blocks that fit the cache."""
    limit = CACHE * torch.get_num_threads() if x.device.type == "cpu" else ACCELERATOR
    inner = max(1, min(parts, limit // size))
    outer = max(1, limit // (inner * size))  # more than 1 only when a block holds all parts
    for i in range(0, samples, outer):
        for j in range(0, parts, inner):
            yield slice(i, i + outer), slice(j, j + inner)
