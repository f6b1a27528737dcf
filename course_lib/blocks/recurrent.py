"""A recurrent cell made of convolutions: the same weights at every step, and a memory that is an image.

Gated recurrent unit (Cho et al., EMNLP 2014) with convolutions (Ballas, Yao, Pal & Courville, ICLR 2016):

u, r = sigmoid(conv[x, h])           update and reset gate
c = tanh(conv[x, r h])               candidate
h <- (1 - u) h + u c                 the new hidden state
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

Channels = Float[Tensor, "batch inside height width"]
Hidden = Float[Tensor, "batch outside height width"]


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
