"""Chapter 18, as learners write it: solutions that are right in another way, and planted mistakes."""

import torch


def whole(y, mask, first):
    """Scan by scan."""
    found = []
    for k, m, f in zip(y, mask, first):
        second = m * (1 - f)
        chance = second.sum() / (f == 0).sum()
        found.append(torch.where(f > 0, k, second * k / chance))
    return torch.stack(found)


def weighed(weight):
    def look(y, mask, first):
        second = mask - first
        return y * first + y * second * weight(y.shape[-1], first.sum(-1, keepdim=True), second.sum(-1, keepdim=True))

    return look


def magnitude(looks, sigma):
    energy = sum(look**2 for look in looks) / len(looks)
    return torch.sqrt(torch.relu(energy - 2 * sigma**2))


def pursue(P, D, atoms):
    """By projections: the residual of a least-squares fit in the chosen columns."""
    codes = torch.zeros(len(P), D.shape[1], dtype=D.dtype)
    for i, p in enumerate(P):
        chosen, r = [], p.clone()
        while len(chosen) < atoms:
            chosen.append(int(torch.argmax(torch.abs(D.mH @ r))))
            c = torch.linalg.pinv(D[:, chosen]) @ p
            r = p - D[:, chosen] @ c
        codes[i, chosen] = c
    return codes


def matching(P, D, atoms):
    codes, r = torch.zeros(len(P), D.shape[1], dtype=D.dtype), P.clone()
    for _ in range(atoms):
        scores = r @ D.conj()
        best = scores.abs().argmax(1)
        for i, j in enumerate(best):
            codes[i, j] += scores[i, j]
            r[i] -= scores[i, j] * D[:, j]
    return codes


def largest(P, D, atoms):
    """The atoms with the largest scores of the patch itself."""
    codes = torch.zeros(len(P), D.shape[1], dtype=D.dtype)
    for i, p in enumerate(P):
        chosen = torch.topk((D.mH @ p).abs(), atoms).indices
        codes[i, chosen] = torch.linalg.pinv(D[:, chosen]) @ p
    return codes


def by_score(score):
    def solution(P, D, atoms):
        codes = torch.zeros(len(P), D.shape[1], dtype=D.dtype)
        for i, p in enumerate(P):
            chosen, r = [], p
            for _ in range(atoms):
                chosen.append(int(score(D, r).argmax()))
                c = torch.linalg.pinv(D[:, chosen]) @ p
                r = p - D[:, chosen] @ c
            codes[i, chosen] = c
        return codes

    return solution


def renew(P, D, C, j):
    """By the power method."""
    users = C[:, j].nonzero()[:, 0]
    others = C.clone()
    others[:, j] = 0
    E = (P - others @ D.T)[users]
    d = E[0] / E[0].norm()
    for _ in range(2000):
        d = E.T @ (E @ d.conj()).conj()
        d = d / d.norm()
    g = torch.zeros(len(P), dtype=P.dtype)
    g[users] = E @ d.conj()
    return d, g


def first_pair(E):
    u, s, vh = torch.linalg.svd(E, full_matrices=False)
    return vh[0], u[:, 0] * s[0]


def without(C, j):
    return torch.cat([C[:, :j], 0 * C[:, j : j + 1], C[:, j + 1 :]], 1)


def columns_of_v(P, D, C, j):
    """V instead of V^H, as svd is often written."""
    u, s, vh = torch.linalg.svd((P - without(C, j) @ D.T) * (C[:, j : j + 1] != 0), full_matrices=False)
    return vh.mH[:, 0], s[0] * u[:, 0]


def long_atom(P, D, C, j):
    d, g = renew(P, D, C, j)
    return d * g.norm(), g / g.norm()


RIGHT = {"ch18_whole": whole, "ch18_magnitude": magnitude, "ch18_pursue": pursue, "ch18_renew": renew}

WRONG = {
    "ch18_whole": {
        "no weight": lambda y, mask, first: mask * y,
        "weight of all lines": weighed(lambda n, a, b: n / b),
        "chance instead of its inverse": weighed(lambda n, a, b: b / (n - a)),
        "one weight for the batch": weighed(lambda n, a, b: (n - a).sum() / b.sum()),
        "the second look alone": lambda y, mask, first: whole(y, mask, first) - first * y,
        "the gradient reaches nothing": lambda y, mask, first: whole(y.detach(), mask, first),
    },
    "ch18_magnitude": {
        "mean of magnitudes": lambda looks, sigma: looks.sum(0) / len(looks),
        "noise left in": lambda looks, sigma: (looks**2).mean(0).sqrt(),
        "half of the noise": lambda looks, sigma: torch.relu((looks**2).mean(0) - sigma**2).sqrt(),
        "not finite": lambda looks, sigma: ((looks**2).mean(0) - 2 * sigma**2) ** 0.5,
        "square root missing": lambda looks, sigma: magnitude(looks, sigma) ** 2,
    },
    "ch18_pursue": {
        "numbers not fitted anew": matching,
        "always the same residual": largest,
        "real part of the score": by_score(lambda D, r: (D.mH @ r).real),
        "score without the conjugate": by_score(lambda D, r: (D.T @ r).abs()),
    },
    "ch18_renew": {
        "everybody has a say": lambda P, D, C, j: first_pair(P - without(C, j) @ D.T),
        "own share missing": lambda P, D, C, j: first_pair((P - C @ D.T) * (C[:, j : j + 1] != 0)),
        "others not taken away": lambda P, D, C, j: first_pair(P * (C[:, j : j + 1] != 0)),
        "conjugate": columns_of_v,
        "atom not of unit length": long_atom,
    },
}
