"""Chapter 04, as learners write it: solutions that are right in another way, and planted mistakes."""

import torch
from torch.fft import fft2, fftshift, ifft2, ifftshift
from torch.linalg import solve


def pairs(block, R, target=2):
    """S and T, window by window."""
    coils, height, lines = block.shape[1:]
    S, T = [], []
    for i in range(height - 4):
        for j in range(lines - R):
            S.append(block[0, :, i : i + 5, [j, j + R]].reshape(-1))
            T.append(block[0, :, i + target, j + 1 : j + R].reshape(-1))
    return torch.stack(S), torch.stack(T)


def fit(block, lam, R=2):
    S, T = pairs(block, R)
    K = S @ S.conj().T  # the dual form: as many unknowns as windows
    energy = (S.real**2 + S.imag**2).sum() / S.shape[1]
    return S.conj().T @ solve(K + lam * energy * torch.eye(len(K)), T)


def fit_with(gram, right, scale=lambda S: S.norm() ** 2 / S.shape[1], target=2):
    def f(block, lam, R=2):
        S, T = pairs(block, R, target)
        return solve(gram(S) @ S + lam * scale(S) * torch.eye(S.shape[1]), right(S) @ T)

    return f


def backwards(block, lam, R=2):
    T, S = pairs(block, R)
    return solve(S.mH @ S + lam * (S.norm() ** 2 / S.shape[1]) * torch.eye(S.shape[1]), S.mH @ T)


def at(y, row, column):
    """All coils of one sample; zero outside."""
    inside = 0 <= row < y.shape[2] and 0 <= column < y.shape[3]
    return y[0, :, row, column] if inside else torch.zeros(y.shape[1], dtype=y.dtype)


def guess(y, w, row, column, left, R):
    """Every target of the window that begins at line `left`, (coil, gap)."""
    known = torch.stack([torch.stack([at(y, row + i, left + j) for j in (0, R)], 1) for i in range(-2, 3)], 1)
    return (known.reshape(-1) @ w).reshape(y.shape[1], R - 1)


def fill_any(y, mask, w, R, first, keep=True, order=lambda gap: gap, begin=lambda left: left):
    k = y.clone()
    for row in range(y.shape[2]):
        for column in range(y.shape[3]):
            gap = (column - first) % R
            if gap and not (keep and mask[0, 0, 0, column]):
                k[0, :, row, column] = guess(y, w, row, column, begin(column - gap), R)[:, order(gap) - 1]
    return k


def fill(y, mask, w):
    k = y.clone()
    for row in range(y.shape[2]):
        for column in range(y.shape[3]):
            if mask[0, 0, 0, column] == 0:
                k[0, :, row, column] = guess(y, w, row, column, column - 1, 2)[:, 0]
    return k


def everywhere(y, w, line=-1, rows=0):
    every = [
        guess(y, w, row + rows, column, column + line, 2) for row in range(y.shape[2]) for column in range(y.shape[3])
    ]
    return torch.stack(every)[..., 0].T.reshape(y.shape)


def mixed_up(y, mask, w):
    every = everywhere(y, w).reshape(y.shape[1], -1).T  # (place, coil)
    return torch.where(mask > 0, y, every.reshape(y.shape))


def to_image(k):
    return fftshift(ifft2(ifftshift(k, (-2, -1)), norm="ortho"), (-2, -1))


def to_kspace(x):
    return fftshift(fft2(ifftshift(x, (-2, -1)), norm="ortho"), (-2, -1))


def G(k, w):
    """Sum of shifted copies."""
    out = torch.zeros_like(k)
    for i in range(3):
        for j in range(3):
            moved = torch.roll(k, (1 - i, 1 - j), (-2, -1))
            out = out + torch.einsum("tc,bchw->bthw", w[0, :, :, i, j], moved)
    return out


def step(k, y, mask, w):
    new = G(k, w)
    new[(mask > 0).expand_as(y)] = y[(mask > 0).expand_as(y)]
    return new


def matrices(G):
    """(height, width, target, coil), without the identity"""
    return G[0].permute(2, 3, 0, 1) - torch.eye(G.shape[1])


def soft(k, mask, G, mu, back=lambda D: D.mH, minus=matrices, weigh=lambda mu: (1, mu)):
    D, x = minus(G), to_image(k)[0].permute(1, 2, 0)[..., None]
    agreed = to_kspace((back(D) @ (D @ x))[..., 0].permute(2, 0, 1)[None])
    a, b = weigh(mu)
    return a * mask * k + b * agreed


def untransformed(k, mask, G, mu):
    D = matrices(G)
    return mask * k + mu * (D.mH @ D @ k[0].permute(1, 2, 0)[..., None])[..., 0].permute(2, 0, 1)


RIGHT = {"ch04_fit": fit, "ch04_fill": fill, "ch04_fill_any": fill_any, "ch04_step": step, "ch04_soft": soft}

H, PLAIN = (lambda S: S.mH), (lambda S: S.T)

WRONG = {
    "ch04_fit": {
        "not conjugated": fit_with(PLAIN, PLAIN),
        "S^H S not conjugated": fit_with(PLAIN, H),
        "S^H T not conjugated": fit_with(H, PLAIN),
        "ridge not scaled": fit_with(H, H, lambda S: 1),
        "ridge scaled by the sum": fit_with(H, H, lambda S: (S.mH @ S).trace().real),
        "ridge scaled by the number of windows": fit_with(H, H, lambda S: S.abs().square().mean()),
        "target in the wrong row": fit_with(H, H, target=0),
        "no ridge": lambda block, lam, R=2: torch.linalg.pinv(pairs(block, R)[0]) @ pairs(block, R)[1],
        "source and target exchanged": backwards,
        "conjugate": lambda block, lam, R=2: fit(block, lam, R).conj(),
        "real part only": lambda block, lam, R=2: fit(block, lam, R).real,
        "wrong shape": lambda block, lam, R=2: fit(block, lam, R).T,
    },
    "ch04_fill": {
        "acquired lines overwritten": lambda y, mask, w: everywhere(y, w),
        "guess added to what was measured": lambda y, mask, w: y + everywhere(y, w),
        "mask the wrong way round": lambda y, mask, w: torch.where(mask == 0, y, everywhere(y, w)),
        "off by one line": lambda y, mask, w: torch.where(mask > 0, y, everywhere(y, w, line=0)),
        "rows off by two": lambda y, mask, w: torch.where(mask > 0, y, everywhere(y, w, rows=2)),
        "guess conjugated": lambda y, mask, w: torch.where(mask > 0, y, everywhere(y, w).conj()),
        "weights conjugated": lambda y, mask, w: fill(y, mask, torch.conj(w)),
        "coils and places mixed": mixed_up,
        "it changes its input": lambda y, mask, w: y.add_(everywhere(y, w) * (1 - mask)),
    },
    "ch04_fill_any": {
        "gaps in the wrong order": lambda y, mask, w, R, first: fill_any(
            y, mask, w, R, first, order=lambda gap: R - gap
        ),
        "one gap's weights for all": lambda y, mask, w, R, first: fill_any(y, mask, w, R, first, order=lambda gap: 1),
        "acquired lines overwritten": lambda y, mask, w, R, first: fill_any(y, mask, w, R, first, keep=False),
        "weights conjugated": lambda y, mask, w, R, first: fill_any(y, mask, w.conj(), R, first),
        "coils and gaps exchanged": lambda y, mask, w, R, first: fill_any(
            y, mask, torch.cat([w[:, coil :: y.shape[1]] for coil in range(y.shape[1])], 1), R, first
        ),
        "wrong values": lambda y, mask, w, R, first: fill_any(y, mask, w, R, first, begin=lambda left: left + 1),
    },
    "ch04_step": {
        "acquired samples not kept": lambda k, y, mask, w: G(k, w),
        "kept from the guess, not from the data": lambda k, y, mask, w: mask * k + (1 - mask) * G(k, w),
        "acquired samples counted twice": lambda k, y, mask, w: G(k, w) + y,
        "the data predicted, not the guess": lambda k, y, mask, w: step(y, y, mask, w),
        "mask the wrong way round": lambda k, y, mask, w: torch.where(mask == 0, y, G(k, w)),
        "no prediction": lambda k, y, mask, w: y + k * (mask == 0),
        "the difference, not the prediction": lambda k, y, mask, w: y + (1 - mask) * (G(k, w) - k),
    },
    "ch04_soft": {
        "transposed, not conjugated": lambda k, mask, G, mu: soft(k, mask, G, mu, lambda D: D.mT),
        "conjugated, not transposed": lambda k, mask, G, mu: soft(k, mask, G, mu, torch.conj),
        "(G - I) twice": lambda k, mask, G, mu: soft(k, mask, G, mu, lambda D: D),
        "identity forgotten": lambda k, mask, G, mu: soft(k, mask, G, mu, minus=lambda G: G[0].permute(2, 3, 0, 1)),
        "adjoint missing": lambda k, mask, G, mu: soft(k, mask, G, mu, lambda D: torch.eye(len(D[0, 0])) + 0 * D),
        "mask not applied": lambda k, mask, G, mu: soft(k, torch.ones_like(mask), G, mu),
        "mu on the wrong term": lambda k, mask, G, mu: soft(k, mask, G, mu, weigh=lambda mu: (mu, 1)),
        "no transform": untransformed,
    },
}
