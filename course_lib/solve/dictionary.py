"""Dictionary learning: patches as sums of a few atoms, and the atoms that suit them.

min_{D, C} ||P - C D^T||^2   with at most `atoms` numbers in a row of C, unit columns (atoms) of D

P (patch, pixel) and C (patch, atom), complex; D (pixel, atom). Two steps in turn: `pursue` finds C with D fixed,
greedily (the exact answer is NP-hard); `ksvd` renews D and the numbers in C, but not where they stand.
"""

from math import ceil, pi, sqrt

import torch
from torch import Tensor


def cosines(size: int, atoms: int) -> Tensor:
    """A dictionary to start from, (size * size, atoms): products of cosines, slow ones first; size^2 are the DCT."""
    count = max(size, ceil(sqrt(atoms)))
    wave = torch.cos(pi * (torch.arange(size)[:, None] + 0.5) * torch.arange(count) / count)
    order = (torch.arange(count)[:, None] + torch.arange(count)).flatten().argsort(stable=True)
    D = torch.kron(wave, wave)[:, order[:atoms]]
    return D / D.norm(dim=0)


def pursue(P: Tensor, D: Tensor, atoms: int, tolerance: float = 0.0) -> Tensor:
    """The codes C of orthogonal matching pursuit (Pati, Rezaiifar & Krishnaprasad 1993), all patches at once.

    Each patch takes the atom that fits its residual best, then all its numbers are fitted anew; it stops with so many
    `atoms`, or when the root mean square of its residual is at most `tolerance`.
    """
    limit = tolerance * sqrt(P.shape[1])
    C, rows = P.new_zeros(len(P), D.shape[1]), P.norm(dim=1) > limit
    r, chosen, basis, kept = P[rows], [], [], []
    for _ in range(atoms):
        best = (r @ D.conj()).abs().argmax(1)
        q = D.T[best]
        for b in basis:  # what is new in the atom: residuals stay orthogonal to all that were chosen
            q = q - (b.conj() * q).sum(1, keepdim=True) * b
        size = q.norm(dim=1, keepdim=True)
        use = (r.norm(dim=1, keepdim=True) > limit) & (size > 1e-4)
        q = torch.where(use, q / size.clamp_min(1e-4), 0)
        r = r - (q.conj() * r).sum(1, keepdim=True) * q
        chosen, basis, kept = [*chosen, best], [*basis, q], [*kept, use]
    C[rows] = _fitted(P[rows], D, torch.stack(chosen, 1), torch.cat(kept, 1))
    return C


def _fitted(P: Tensor, D: Tensor, chosen: Tensor, kept: Tensor) -> Tensor:
    """The least-squares numbers of the chosen atoms, in their columns."""
    S = D.T[chosen] * kept.unsqueeze(-1)  # (patch, atoms, pixel)
    gram = S.conj() @ S.mT
    gram.diagonal(dim1=-2, dim2=-1).add_((~kept).to(gram.dtype))
    numbers = torch.linalg.solve(gram, (S.conj() @ P.unsqueeze(-1)).squeeze(-1))
    return P.new_zeros(len(P), D.shape[1]).scatter_add(1, chosen, numbers)


def ksvd(P: Tensor, D: Tensor, C: Tensor) -> tuple[Tensor, Tensor]:
    """K-SVD (Aharon, Elad & Bruckstein 2006): each atom in turn becomes the best one for the patches that use it.

    With the other atoms taken away those patches are E; the best g d^T for them is the largest singular triple of E.
    The error never rises. An atom that nobody uses becomes the patch that is fitted worst.
    """
    D, C, taken = D.clone(), C.clone(), []
    r = P - C @ D.T
    for j in range(D.shape[1]):
        users = C[:, j].nonzero()[:, 0]
        if len(users) == 0:
            worst = r.norm(dim=1).index_fill(0, torch.tensor(taken, dtype=torch.long, device=r.device), 0).argmax()
            D[:, j] = P[worst] / P[worst].norm().clamp_min(1e-12)
            taken.append(int(worst))  # the next such atom becomes another patch
            continue
        E = r[users] + C[users, j, None] * D[:, j]
        D[:, j] = torch.linalg.eigh(E.T @ E.conj())[1][:, -1]
        C[users, j] = E @ D[:, j].conj()
        r[users] = E - C[users, j, None] * D[:, j]
    return D, C


def learn(P: Tensor, D: Tensor, atoms: int, tolerance: float, updates: int = 1) -> tuple[Tensor, Tensor]:
    """The dictionary after so many updates, and the codes of P in it."""
    C = pursue(P, D, atoms, tolerance)
    for _ in range(updates):
        D, _ = ksvd(P, D, C)
        C = pursue(P, D, atoms, tolerance)
    return D, C
