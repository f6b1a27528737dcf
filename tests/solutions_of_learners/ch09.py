"""Chapter 09, as learners write it: solutions that are right in another way, and planted mistakes."""

import torch
from torch import nn

from course_lib.blocks import Critic, OnComplex, resnet


def scores_written_out(real, fake):
    n = real.numel()
    critic = sum((1 - s) ** 2 for s in real) / n + sum(s * s for s in fake) / n
    return critic, sum(s * s - 2 * s + 1 for s in fake) / n


def round_with_gradients(G, D, adam_G, adam_D, x, truth, eta):
    """The same round with gradients asked for by hand."""
    made = G(x)
    judged = ((D(truth) - 1) ** 2).mean() + (D(made) ** 2).mean()
    for p, g in zip(D.parameters(), torch.autograd.grad(judged, list(D.parameters()))):
        p.grad = g
    adam_D.step()
    made = G(x)
    loss = eta * (made - truth).abs().mean() + (1 - eta) * ((D(made) - 1) ** 2).mean()
    for p, g in zip(G.parameters(), torch.autograd.grad(loss, list(G.parameters()))):
        p.grad = g
    adam_G.step()


def round_as(order="DG", clear=True, eta_of=lambda eta: eta, wanted=1, steps=1):
    def one_round(G, D, adam_G, adam_D, x, truth, eta):
        for who in order:
            if who == "D":
                if clear:
                    adam_D.zero_grad()
                (((D(truth) - 1) ** 2).mean() + (D(G(x).detach()) ** 2).mean()).backward()
                adam_D.step()
            else:
                made = G(x)
                share = eta_of(eta)
                adam_G.zero_grad()
                (share * (made - truth).abs().mean() + (1 - share) * ((D(made) - wanted) ** 2).mean()).backward()
                adam_G.step()
                if steps == 2:
                    adam_D.step()

    return one_round


def unseen_in_k_space(e, A):
    k = torch.fft.fftshift(torch.fft.fft(torch.fft.ifftshift(e, -1), norm="ortho"), -1)
    k = k * (1 - A.mask[:, 0])
    return torch.fft.fftshift(torch.fft.ifft(torch.fft.ifftshift(k, -1), norm="ortho"), -1)


class Learner(nn.Module):
    def __init__(self, width=128, blocks=5, eta=0.975):
        super().__init__()
        self.G, self.critic = OnComplex(resnet(width, blocks)), Critic()

    def forward(self, y, A):
        z = self.G(A.H(y))
        return A.H(y) + z - A.N(z)


def gancs(forward):
    return type("Mine", (Learner,), {"forward": forward})


RIGHT = {
    "ch09_scores": scores_written_out,
    "ch09_round": round_with_gradients,
    "ch09_unseen": unseen_in_k_space,
    "ch09_gancs": Learner,
}

WRONG = {
    "ch09_scores": {
        "labels exchanged": lambda r, f: ((r**2).mean() + ((f - 1) ** 2).mean(), ((f - 1) ** 2).mean()),
        "the generator helps the critic": lambda r, f: (((r - 1) ** 2).mean() + (f**2).mean(), (f**2).mean()),
        "half a critic": lambda r, f: ((f**2).mean(), ((f - 1) ** 2).mean()),
        "sums, not means": lambda r, f: (((r - 1) ** 2).sum() + (f**2).sum(), ((f - 1) ** 2).sum()),
        "wrong number of results": lambda r, f: ((r - 1) ** 2).mean() + (f**2).mean(),
    },
    "ch09_round": {
        "the generator goes first": round_as("GD"),
        "the critic never learns": round_as("G"),
        "the critic's gradients are kept": round_as(clear=False),
        "the critic moves in the generator's turn": round_as(steps=2),
        "the generator helps the critic": round_as(wanted=0),
        "eta on the wrong side": round_as(eta_of=lambda eta: 1 - eta),
        "wrong values": round_as("DDG"),
    },
    "ch09_unseen": {
        "the part that the data see": lambda e, A: A.N(e),
        "the whole error": lambda e, A: e.clone(),
        "twice taken away": lambda e, A: e - A.N(e) - A.N(e),
        "real part only": lambda e, A: unseen_in_k_space(e, A).real,
        "the gradient reaches nothing": lambda e, A: unseen_in_k_space(e.detach(), A),
    },
    "ch09_gancs": {
        "no projection": gancs(lambda self, y, A: self.G(A.H(y))),
        "away from the data": gancs(lambda self, y, A: (z := self.G(A.H(y))) + A.H(A(z)) - A.H(y)),
        "data added, nothing taken away": gancs(lambda self, y, A: A.H(y) + self.G(A.H(y))),
        "half a step": gancs(lambda self, y, A: (z := self.G(A.H(y))) + (A.H(y) - A.N(z)) / 2),
        "the gradient stops at z": gancs(
            lambda self, y, A: (z := self.G(A.H(y)).detach() + 0 * self.G(A.H(y))) + A.H(y - A(z))
        ),
        "it returns nothing": gancs(lambda self, y, A: None),
    },
}
