"""Chapter 02, as learners write it: solutions that are right in another way, and planted mistakes."""

import torch


def one_tall_system(E, y, lam, x0):
    root = lam**0.5
    tall = torch.vstack((E, root * torch.eye(E.shape[1]).to(E.dtype)))
    return torch.linalg.lstsq(tall, torch.cat((y, root * x0))[:, None]).solution[:, 0]


def one_tall_system_without_the_root(E, y, lam, x0):
    tall = torch.vstack((E, lam * torch.eye(E.shape[1]).to(E.dtype)))
    return torch.linalg.lstsq(tall, torch.cat((y, lam * x0))[:, None]).solution[:, 0]


def normal_equations(E, y, lam, x0, adjoint=lambda E: E.conj().T):
    n = E.shape[1]
    return torch.linalg.inv(adjoint(E) @ E + lam * torch.eye(n)) @ (adjoint(E) @ y + lam * x0)


def by_the_matrix_of_influence(U, s, y, lam):
    m = len(y)
    H = U @ torch.diag(s**2 / (s**2 + lam)).to(U.dtype) @ U.mH
    rest = torch.eye(m) - H
    return (m * torch.linalg.norm(rest @ y) ** 2 / torch.trace(rest).real ** 2).item()


def gcv_with(factors, power=2):
    def gcv(U, s, y, lam):
        f = factors(s, lam)
        explained = U @ (f * (U.mH @ y))
        return len(y) * (explained - y).abs().pow(2).sum() / (len(y) - f.sum()) ** power

    return gcv


def gcv_with_the_transpose(U, s, y, lam):
    f = s**2 / (s**2 + lam)
    return len(y) * ((y - U @ (f * (U.T @ y))).abs() ** 2).sum() / (len(y) - f.sum()) ** 2


def gcv_inside_u(U, s, y, lam):
    f = s**2 / (s**2 + lam)
    c = U.mH @ y
    return len(y) * (((1 - f) * c.abs()) ** 2).sum() / (len(y) - f.sum()) ** 2


def gcv_of_pixels(U, s, y, lam):
    f = s**2 / (s**2 + lam)
    return len(s) * ((y - U @ (f * (U.mH @ y))).abs() ** 2).sum() / (len(s) - f.sum()) ** 2


def hestenes(N, b, x, iterations):
    """The residual is computed anew, and the directions are made conjugate one by one."""
    images, p = [], None
    for _ in range(iterations):
        r = b - N(x)
        p = r if p is None else r - (N(p).conj() * r).sum() / (p.conj() * N(p)).sum() * p
        x = x + (p.conj() * r).sum() / (p.conj() * N(p)).sum() * p
        images.append(x)
    return images


def my_cg(conjugate=True, residual=True, weighted=True, start=True, squared_length_of_p=False):
    def cg(N, b, x, iterations):
        def dot(a, b):
            return torch.sum((a.conj() if conjugate else a) * b)

        r = b - N(x) if start else b.clone()
        p, images = r.clone(), []
        for _ in range(iterations):
            Np = N(p)
            length = dot(r, r)
            alpha = length / (dot(p, p) if squared_length_of_p else dot(p, Np))
            x = x + alpha * p
            if residual:
                r = r - alpha * Np
            p = r + dot(r, r) / length * p if weighted else r
            images.append(x)
        return images

    return cg


def cg_in_place(N, b, x, iterations):
    x, r, images = x.clone(), b - N(x), []
    p = r.clone()
    for _ in range(iterations):
        Np, length = N(p), torch.vdot(r.flatten(), r.flatten())
        alpha = length / torch.vdot(p.flatten(), Np.flatten())
        x += alpha * p
        r -= alpha * Np
        p = r + torch.vdot(r.flatten(), r.flatten()) / length * p
        images.append(x)
    return images


def cg_changes_its_start(N, b, x, iterations):
    x += 1
    return [x] * iterations


def with_rho_in_the_prox(solve, prox, x, rho, iterations):
    """The multiplier is not divided by rho."""
    z, multiplier, images = x.clone(), 0 * x, []
    for _ in range(iterations):
        x = solve(z - multiplier / rho)
        z = prox(x + multiplier / rho, 1 / rho)
        multiplier = multiplier + rho * (x - z)
        images.append(x)
    return images


def my_admm(multiply=lambda u, x, z: u + x - z, sign=1, step=lambda rho: 1 / rho, show=lambda x, z: x):
    def admm(solve, prox, x, rho, iterations):
        z, u, images = x, torch.zeros_like(x), []
        for _ in range(iterations):
            x = solve(z - sign * u)
            z = prox(x + sign * u, step(rho))
            u = multiply(u, x, z)
            images += [show(x, z)]
        return images

    return admm


RIGHT = {
    "ch02_towards": one_tall_system,
    "ch02_gcv": by_the_matrix_of_influence,
    "ch02_cg": hestenes,
    "ch02_admm": with_rho_in_the_prox,
}

WRONG = {
    "ch02_towards": {
        "transposed, not conjugated": lambda E, y, lam, x0: normal_equations(E, y, lam, x0, lambda E: E.T),
        "x0 forgotten": lambda E, y, lam, x0: one_tall_system(E, y, lam, torch.zeros_like(x0)),
        "x0 pushed away": lambda E, y, lam, x0: torch.linalg.solve(
            E.mH @ E + lam * torch.eye(len(x0)), E.mH @ y - lam * x0
        ),
        "x0 without lambda": lambda E, y, lam, x0: torch.linalg.solve(
            E.mH @ E + lam * torch.eye(len(x0)), E.mH @ y + x0
        ),
        "lambda on the wrong side": lambda E, y, lam, x0: one_tall_system(E, y, 1 / lam, x0),
        "lambda squared": one_tall_system_without_the_root,
        "lambda everywhere": lambda E, y, lam, x0: torch.linalg.inv(E.mH @ E + lam) @ (E.mH @ y + lam * x0),
        "data not corrected": lambda E, y, lam, x0: x0 + one_tall_system(E, y, lam, 0 * x0),
        "only the correction": lambda E, y, lam, x0: one_tall_system(E, y - E @ x0, lam, 0 * x0),
        "wrong shape": lambda E, y, lam, x0: one_tall_system(E, y, lam, x0)[:, None],
        "real part only": lambda E, y, lam, x0: one_tall_system(E, y, lam, x0).real,
    },
    "ch02_gcv": {
        "filter factor of the image": gcv_with(lambda s, lam: s / (s**2 + lam)),
        "factors upside down": gcv_with(lambda s, lam: 1 - s**2 / (s**2 + lam)),
        "lambda squared": gcv_with(lambda s, lam: s**2 / (s**2 + lam**2)),
        "square missing below": gcv_with(lambda s, lam: s**2 / (s**2 + lam), 1),
        "data outside U forgotten": gcv_inside_u,
        "pixels counted": gcv_of_pixels,
        "not conjugated": gcv_with_the_transpose,
        "wrong kind of result": lambda U, s, y, lam: y,
    },
    "ch02_cg": {
        "inner product not conjugated": my_cg(conjugate=False),
        "residual not updated": my_cg(residual=False),
        "steepest descent": my_cg(weighted=False),
        "start forgotten": my_cg(start=False),
        "step without N": my_cg(squared_length_of_p=True),
        "the last image only, again and again": cg_in_place,
        "it changes its input": cg_changes_its_start,
        "wrong number of results": lambda N, b, x, iterations: hestenes(N, b, x, iterations)[-1],
        "real part only": lambda N, b, x, iterations: [v.real for v in hestenes(N, b, x, iterations)],
    },
    "ch02_admm": {
        "no multiplier": my_admm(multiply=lambda u, x, z: u),
        "multiplier not added up": my_admm(multiply=lambda u, x, z: x - z),
        "multiplier with the wrong sign": my_admm(multiply=lambda u, x, z: u + z - x),
        "rho upside down": my_admm(step=lambda rho: rho),
        "step missing in the prox": my_admm(step=lambda rho: 1),
        "z in the list": my_admm(show=lambda x, z: z),
        "wrong number of results": lambda *problem: with_rho_in_the_prox(*problem)[:-1],
        "it returns nothing": lambda *problem: print(end=""),
    },
}
