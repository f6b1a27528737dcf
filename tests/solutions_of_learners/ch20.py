"""Chapter 20, as learners write it: solutions that are right in another way, and planted mistakes."""

import copy

import torch

from course_lib.ops import Sense


def penalty(norm=lambda g: (g.abs() ** 2).sum((1, 2)) ** 0.5, miss=lambda n: (n - 1) ** 2, graph=True, ends=(0, 1)):
    def held(critic, real, fake, part):
        images = [real, fake]
        a, b = images[ends[0]], images[ends[1]]
        x = ((1 - part)[:, None, None] * a + part[:, None, None] * b).clone().requires_grad_(True)
        (g,) = torch.autograd.grad(critic(x).sum(), x, create_graph=graph)
        return miss(norm(g)).mean()

    return held


def cost(power=2, relative=True, weigh=lambda z: (z**2).sum(1) / z.shape[1], seen=lambda A, x: A(x)):
    def total(G, z, y, A, lam):
        costs = []
        x = G(z)
        for i in range(len(z)):
            off = torch.linalg.norm(seen(A, x)[i] - y[i]) ** power
            costs.append(off / torch.linalg.norm(y[i]) ** (power if relative else 0) + lam * weigh(z)[i])
        return torch.stack(costs)

    return total


def adapt(work=copy.deepcopy, z_too=True, theta_too=True, towards=1):
    def descend(G, z, y, A, steps, lr):
        mine, z = work(G), torch.nn.Parameter(z.clone())
        groups = ([z] if z_too else []) + (list(mine.parameters()) if theta_too else [])
        optimiser = torch.optim.SGD(groups, lr=lr)
        for _ in range(steps):
            optimiser.zero_grad()
            r = A(mine(z)) - y
            (towards * (r.real**2 + r.imag**2).sum() / (y.abs() ** 2).sum()).backward()
            optimiser.step()
        return mine(z).detach()

    return descend


def again(x, mask, maps):
    """By hand, coil by coil."""
    total = 0
    for coil in range(maps.shape[1]):
        k = Sense(torch.ones_like(mask), torch.ones_like(maps[:, :1]))(maps[:, coil] * x)
        total = total + maps[:, coil].conj() * Sense(mask, torch.ones_like(maps[:, :1])).H(k)
    return total


RIGHT = {
    "ch20_penalty": penalty(),
    "ch20_cost": cost(),
    "ch20_adapt": adapt(),
    "ch20_again": again,
}

WRONG = {
    "ch20_penalty": {
        "root missing": penalty(norm=lambda g: (g.abs() ** 2).sum((1, 2))),
        "a mean over pixels": penalty(norm=lambda g: (g.abs() ** 2).mean((1, 2)) ** 0.5),
        "pulled to 0": penalty(miss=lambda n: n**2),
        "from fake to real": penalty(ends=(1, 0)),
        "at the made images": penalty(ends=(1, 1)),
        "the gradient reaches nothing": penalty(graph=False),
    },
    "ch20_cost": {
        "lam is missing": cost(weigh=lambda z: 0 * z[:, 0]),
        "a sum over the numbers of z": cost(weigh=lambda z: (z**2).sum(1)),
        "not relative": cost(relative=False),
        "not squared": cost(power=1),
        "the mask is forgotten": cost(seen=lambda A, x: Sense(torch.ones_like(A.mask), A.maps)(x)),
    },
    "ch20_adapt": {
        "the weights leak into the next scan": adapt(work=lambda G: G),
        "z stays": adapt(z_too=False),
        "the weights stay": adapt(theta_too=False),
        "away from the data": adapt(towards=-1),
    },
    "ch20_again": {
        "still k-space": lambda x, mask, maps: Sense(mask, maps)(x),
        "the mask is forgotten": lambda x, mask, maps: again(x, mask * 0 + 1, maps),
        "the other lines": lambda x, mask, maps: again(x, 1 - mask, maps),
        "maps missing": lambda x, mask, maps: again(x, mask, torch.ones_like(maps[:, :1])),
    },
}
