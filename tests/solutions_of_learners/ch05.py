"""Chapter 05, as learners write it: solutions that are right in another way, and planted mistakes."""

import torch


def by_polar(v, t):
    return torch.polar(torch.relu(v.abs() - t), v.angle())


def by_matrix_free_step(x, y, A, W, lam, step):
    residual = y - A(x)
    c = W(x + step * A.H(residual))
    size = c.abs()
    return W.H(torch.where(size > step * lam, c * (1 - step * lam / size), 0))


def step_with(change):
    """The step with other numbers: change(lam, step) -> factor of the gradient, threshold, length of the step."""

    def wrong(x, y, A, W, lam, step):
        factor, threshold, length = change(lam, step)
        return W.H(by_polar(W(x - factor * length * A.H(A(x) - y)), threshold))

    return wrong


def by_extrapolation(advance, x, iterations, watch):
    old, new, t = x, x, 1
    weight = 0
    for _ in range(iterations):
        old, new = new, advance(new + weight * (new - old))
        following = 0.5 + (0.25 + t**2) ** 0.5
        weight, t = (t - 1) / following, following
        watch(new)
    return new


def loop(change):
    def wrong(advance, x, iterations, watch):
        z, t = x, 1.0
        for _ in range(iterations):
            x_old, t_old = x, t
            x = advance(z)
            t = (1 + (1 + 4 * t**2) ** 0.5) / 2
            watch(x)
            z = change(x, x_old, z, t, t_old)
        return x

    return wrong


def overwritten(advance, x, iterations, watch):
    z, t = x, 1.0
    for _ in range(iterations):
        x = advance(z)
        before = x  # too late: this is the new one
        t, t_old = (1 + (1 + 4 * t**2) ** 0.5) / 2, t
        z = x + (t_old - 1) / t * (x - before)
        watch(x)
    return x


def by_topk(c, part):
    energy = (c * c.conj()).real.reshape(-1)
    return energy.topk(round(part * len(energy))).values.sum() / energy.sum()


def by_padding(x):
    down = torch.cat([x[:, 1:], x[:, -1:]], 1) - x
    right = torch.cat([x[:, :, 1:], x[:, :, -1:]], 2) - x
    return torch.hypot(down.abs(), right.abs()).flatten(1).sum(1)


def by_pixels_of_the_disc(with_disc, without, disc, lesion):
    inside = disc[0] > 0
    change = (with_disc - without)[:, inside].mean(-1)
    return torch.real(change / lesion[:, inside].mean(-1))


RIGHT = {
    "ch05_contrast": by_pixels_of_the_disc,
    "ch05_soft": by_polar,
    "ch05_ista_step": by_matrix_free_step,
    "ch05_momentum": by_extrapolation,
    "ch05_energy": by_topk,
    "ch05_variation": by_padding,
}

WRONG = {
    "ch05_contrast": {
        "magnitude before the difference": lambda with_disc, without, disc, lesion: (
            ((with_disc.abs() - without.abs()) * disc).sum((1, 2)) / lesion.abs().sum((1, 2))
        ),
        "magnitude of the difference": lambda with_disc, without, disc, lesion: (
            (abs(with_disc - without) * disc).sum((1, 2)) / abs(lesion).sum((1, 2))
        ),
        "sum over all pixels": lambda with_disc, without, disc, lesion: (
            ((with_disc - without).sum((1, 2)) / lesion.sum((1, 2))).real
        ),
        "compared with the image": lambda with_disc, without, disc, lesion: by_pixels_of_the_disc(
            with_disc, without, disc, without
        ),
        "what is lost": lambda *given: 1 - by_pixels_of_the_disc(*given),
        "one number for all": lambda with_disc, without, disc, lesion: by_pixels_of_the_disc(
            with_disc.flatten(0, 1)[None], without.flatten(0, 1)[None], disc.repeat(1, 2, 1), lesion.flatten(0, 1)[None]
        )[0],
        "wrong sign": lambda with_disc, without, disc, lesion: by_pixels_of_the_disc(without, with_disc, disc, lesion),
        "wrong dtype": lambda with_disc, without, disc, lesion: (
            ((with_disc - without) * disc).sum((1, 2)) / lesion.sum((1, 2))
        ),
    },
    "ch05_soft": {
        "real and imaginary part apart": lambda v, t: torch.complex(
            v.real.sign() * (v.real.abs() - t).clamp(min=0), v.imag.sign() * (v.imag.abs() - t).clamp(min=0)
        ),
        "hard threshold": lambda v, t: torch.where(v.abs() > t, v, torch.zeros_like(v)),
        "no stop at zero": lambda v, t: torch.sgn(v) * (v.abs() - t),
        "not finite": lambda v, t: v / v.abs() * torch.relu(v.abs() - t),
        "magnitude only": lambda v, t: torch.relu(v.abs() - t),
        "phase lost": lambda v, t: torch.relu(v.abs() - t).to(v.dtype),
        "shrunk twice": lambda v, t: by_polar(by_polar(v, t), t),
        "multiplied by the magnitude": lambda v, t: v * torch.relu(v.abs() - t),
        "the rest": lambda v, t: torch.polar(v.abs().clamp(max=t), v.angle()),
        "it stops": lambda v, t: torch.sign(v) * torch.relu(v.abs() - t),
    },
    "ch05_ista_step": {
        "uphill": step_with(lambda lam, step: (-1, step * lam, step)),
        "step missing in the threshold": step_with(lambda lam, step: (1, lam, step)),
        "threshold divided by the step": step_with(lambda lam, step: (1, lam / step, step)),
        "step missing in the gradient": step_with(lambda lam, step: (1, step * lam, 1)),
        "gradient twice as long": step_with(lambda lam, step: (2, step * lam, step)),
        "threshold missing": lambda x, y, A, W, lam, step: x - step * A.H(A(x) - y),
        "no data": lambda x, y, A, W, lam, step: W.H(by_polar(W(x), step * lam)),
        "pixels shrunk": lambda x, y, A, W, lam, step: by_polar(x - step * A.H(A(x) - y), lam * step),
        "still coefficients": lambda x, y, A, W, lam, step: by_polar(W(x - step * A.H(A(x) - y)), lam * step),
        "it stops": lambda x, y, A, W, lam, step: W.H(by_polar(W(x - step * (A(x) - y[:, :, :5])), lam * step)),
    },
    "ch05_momentum": {
        "no momentum": overwritten,
        "backwards": loop(lambda x, x_old, z, t, t_old: x + (t_old - 1) / t * (x_old - x)),
        "momentum on the wrong iterate": loop(lambda x, x_old, z, t, t_old: z + (t_old - 1) / t * (x - x_old)),
        "direction from the wrong iterate": loop(lambda x, x_old, z, t, t_old: x + (t_old - 1) / t * (x - z)),
        "weight from the new t alone": loop(lambda x, x_old, z, t, t_old: x + (t - 1) / t * (x - x_old)),
        "always the full way": loop(lambda x, x_old, z, t, t_old: 2 * x - x_old),
        "nothing is watched": lambda advance, x, iterations, watch: by_extrapolation(
            advance, x, iterations, lambda x: 0
        ),
        "it returns nothing": lambda advance, x, iterations, watch: watch(x),
    },
    "ch05_energy": {
        "magnitudes": lambda c, part: c.abs().flatten().topk(round(part * c.numel())).values.sum() / c.abs().sum(),
        "the smallest": lambda c, part: (
            c.abs().flatten().sort()[0][: round(part * c.numel())].pow(2).sum() / c.abs().pow(2).sum()
        ),
        "not sorted": lambda c, part: c.flatten()[: round(part * c.numel())].norm() ** 2 / c.norm() ** 2,
        "real part only": lambda c, part: by_topk(c.real + 0j, part),
        "what is left": lambda c, part: 1 - by_topk(c, part),
        "a relative length": lambda c, part: c.abs().flatten().topk(round(part * c.numel()))[0].norm() / c.norm(),
        "not a share": lambda c, part: c.abs().pow(2).flatten().topk(round(part * c.numel())).values.sum(),
    },
    "ch05_variation": {
        "each direction by itself": lambda x: x.diff(dim=1).abs().sum((1, 2)) + x.diff(dim=2).abs().sum((1, 2)),
        "differences of the magnitude": lambda x: by_padding(x.abs()),
        "real part only": lambda x: by_padding(x.real),
        "round the edge": lambda x: (
            ((torch.roll(x, -1, 1) - x).abs() ** 2 + (torch.roll(x, -1, 2) - x).abs() ** 2).sqrt().sum((1, 2))
        ),
        "the edge is left out": lambda x: (
            (x.diff(dim=1)[:, :, :-1].abs() ** 2 + x.diff(dim=2)[:, :-1].abs() ** 2).sqrt().sum((1, 2))
        ),
        "root missing": lambda x: x.diff(dim=1).abs().pow(2).sum((1, 2)) + x.diff(dim=2).abs().pow(2).sum((1, 2)),
        "summed over the batch": lambda x: by_padding(x).sum(),
        "wrong normalisation": lambda x: by_padding(x) / x[0].numel(),
    },
}
