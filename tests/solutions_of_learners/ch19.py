"""Chapter 19, as learners write it: solutions that are right in another way, and planted mistakes."""

import math

import torch


def halves(mask, key, rho, free_of=lambda mask, i, n: mask[i] > 0 and not n // 2 - 2 <= i < n // 2 + 2, of=None):
    """One line after the other, the largest key first."""
    n, Lambda = len(mask), torch.zeros_like(mask)
    wanted = math.ceil(rho * (mask.sum().item() if of is None else of(mask)))
    for i in sorted(range(n), key=lambda i: -key[i]):
        if Lambda.sum() < wanted and free_of(mask, i, n):
            Lambda[i] = 1
    return mask * (1 - Lambda), Lambda


def free(mask):
    n = len(mask)
    return mask.sum().item() - mask[n // 2 - 2 : n // 2 + 2].sum().item()


def waves(n):
    k = torch.arange(n) - n // 2
    return torch.exp(-2j * torch.pi * k[:, None] * k / n) / n**0.5


def to_k(x):
    return waves(x.shape[-2]) @ x @ waves(x.shape[-1])


def to_x(k):
    return waves(k.shape[-2]).conj() @ k @ waves(k.shape[-1]).conj()


def held_out(see="theta", tell="theta", judge="lambda", parts=(1, 2), weight=0.5):
    def loss(reconstruct, y, maps, Theta, Lambda):
        from course_lib.ops import Sense

        masks = {"theta": Theta, "lambda": Lambda, "all": Theta + Lambda}
        x = reconstruct(masks[see] * y, Sense(masks[tell], maps))
        on = masks[judge]
        u, v = on * to_k(maps * x[:, None]), on * y
        total = 0
        for sample in range(len(y)):
            error, truth = (u - v)[sample].abs(), v[sample].abs()
            if 2 in parts:
                total = total + weight * error.square().sum().sqrt() / truth.square().sum().sqrt()
            if 1 in parts:
                total = total + weight * error.sum() / truth.sum()
        return total / len(y)

    return loss


def radius(sigma, mask, coils, height):
    energy = 0.0
    for line in mask.tolist():
        energy += line * coils * height * sigma**2
    return math.sqrt(energy)


def into_ball(inside=True, target=lambda y, e, epsilon: y - e * epsilon / e.norm(), everywhere=False):
    """Sample by sample: acquired samples go to a point on the sphere."""

    def project(r, y, mask, epsilon):
        images = []
        for one, data in zip(r, y):
            k = to_k(one)
            e = data - (1 if everywhere else mask[0]) * k
            if inside and e.norm() <= epsilon:
                images.append(one)
                continue
            images.append(to_x(torch.where(mask[0] + everywhere > 0, target(data, e, epsilon), k)))
        return torch.stack(images)

    return project


RIGHT = {
    "ch19_halves": halves,
    "ch19_held_out": held_out(),
    "ch19_radius": radius,
    "ch19_into_ball": into_ball(),
}

WRONG = {
    "ch19_halves": {
        "Theta keeps everything": lambda mask, key, rho: (mask.clone(), halves(mask, key, rho)[1]),
        "the centre is held out": lambda mask, key, rho: halves(mask, key, rho, lambda mask, i, n: mask[i] > 0),
        "lines that nobody measured are held out": lambda mask, key, rho: halves(
            mask, key, rho, lambda mask, i, n: not n // 2 - 2 <= i < n // 2 + 2
        ),
        "rho of the wrong number": lambda mask, key, rho: halves(mask, key, rho, of=free),
        "rho of all lines": lambda mask, key, rho: halves(mask, key, rho, of=len),
        "Theta and Lambda are exchanged": lambda mask, key, rho: halves(mask, key, rho)[::-1],
    },
    "ch19_held_out": {
        "it sees what it must predict": held_out(see="all"),
        "it is told of lines that it does not get": held_out(tell="all"),
        "it sees and is told everything": held_out(see="all", tell="all"),
        "judged on what it saw": held_out(judge="theta"),
        "judged on all lines": held_out(judge="all"),
        "squares alone": held_out(parts=(2,), weight=1),
        "absolute values alone": held_out(parts=(1,), weight=1),
        "half of it": held_out(weight=1),
    },
    "ch19_radius": {
        "square root missing": lambda sigma, mask, coils, height: sigma * mask.sum().item() * coils * height,
        "an energy": lambda sigma, mask, coils, height: radius(sigma, mask, coils, height) ** 2,
        "coils forgotten": lambda sigma, mask, coils, height: radius(sigma, mask, 1, height),
        "rows forgotten": lambda sigma, mask, coils, height: radius(sigma, mask, coils, 1),
        "all lines": lambda sigma, mask, coils, height: radius(sigma, torch.ones_like(mask), coils, height),
    },
    "ch19_into_ball": {
        "always onto the sphere": into_ball(inside=False),
        "the data are put back": into_ball(inside=False, target=lambda y, e, epsilon: y),
        "too far": into_ball(inside=False, target=lambda y, e, epsilon: y - e * max(0, 1 - epsilon / e.norm())),
        "the gradient reaches nothing": lambda r, y, mask, epsilon: into_ball()(r.detach(), y, mask, epsilon),
    },
}
