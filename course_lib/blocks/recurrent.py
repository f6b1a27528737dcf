"""Recurrent cells made of convolutions: the same weights at every step, and a memory that is an image.

Gated recurrent unit (Cho et al., EMNLP 2014) with convolutions (Ballas, Yao, Pal & Courville, ICLR 2016):

u, r = sigmoid(conv[x, h])           update and reset gate
c = tanh(conv[x, r h])               candidate
h <- (1 - u) h + u c                 the new hidden state

Recurrence over time and iterations, without gates (Qin et al., IEEE Trans. Med. Imaging 2019): `Recurrent`.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

Channels = Float[Tensor, "batch inside height width"]
Hidden = Float[Tensor, "batch outside height width"]
Film = Float[Tensor, "time batch 2 height width"]
States = Float[Tensor, "time batch hidden height width"]


class ConvGRU(nn.Module):
    """One step in time, or one iteration of an algorithm: (x, h) -> h with `width` channels.

    x (batch, inside, height, width), h (batch, width channels, height, width); without h the memory is empty: 0.
    """

    def __init__(self, inside: int, width: int, kernel: int = 3):
        super().__init__()
        self.width = width
        self.gates = nn.Conv2d(inside + width, 2 * width, kernel, padding=kernel // 2)
        self.candidate = nn.Conv2d(inside + width, width, kernel, padding=kernel // 2)

    def forward(self, x: Channels, h: Hidden | None = None) -> Hidden:
        if h is None:
            h = x.new_zeros(len(x), self.width, *x.shape[-2:])
        u, r = self.gates(torch.cat([x, h], dim=1)).sigmoid().chunk(2, dim=1)
        c = self.candidate(torch.cat([x, r * h], dim=1)).tanh()
        return (1 - u) * h + u * c


class Recurrent(nn.Module):
    """One iteration of an algorithm on films: (x, states) -> (correction of x, states), x (time, batch, 2, ...).

    h0[t] = relu(W0 x[t] + T h0[t - 1] + V0 h0'[t])      forwards, and with t + 1 backwards in time; h0 is the sum
    h1, h2, h3 = relu(W h + V h')                        h: the layer before; h': this layer, one iteration before
    correction = W4 h3                                   W, V, T: 3x3 convolutions; W4 starts at zero

    states: h0, ..., h3, each (time, batch, width, height, width of the image); None before the first iteration: 0.
    """

    def __init__(self, width: int):
        super().__init__()
        conv = lambda inside, outside: nn.Conv2d(inside, outside, 3, padding=1)
        self.W = nn.ModuleList(conv(*pair) for pair in ((2, width), *[(width, width)] * 3, (width, 2)))
        self.V = nn.ModuleList(conv(width, width) for _ in range(4))
        self.T = conv(width, width)
        for p in self.W[4].parameters():
            nn.init.zeros_(p)

    def over_time(self, u: States) -> States:
        """h[t] = relu(u[t] + T h[t - 1]) from h = 0 on, plus the same with the film run backwards."""
        both = torch.cat([u, u.flip(0)], 1)
        h, found = torch.zeros_like(both[0]), []
        for now in both:
            h = (now + self.T(h)).relu()
            found.append(h)
        there, back = torch.stack(found).chunk(2, 1)
        return there + back.flip(0)

    def forward(self, x: Film, states: list[States] | None = None) -> tuple[Film, list[States]]:
        each = lambda conv, h: conv(h.flatten(0, 1)).unflatten(0, h.shape[:2])
        u = each(self.W[0], x)
        before = states or [torch.zeros_like(u)] * 4
        found = [self.over_time(u + each(self.V[0], before[0]))]
        for W, V, h in zip(self.W[1:4], self.V[1:], before[1:]):
            found.append((each(W, found[-1]) + each(V, h)).relu())
        return each(self.W[4], found[-1]), found
