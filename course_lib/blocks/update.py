"""A learned step of an optimiser: from the gradient and the image, with a memory, what to add to the image.

Layer sizes of the recurrent inference machine (Loenning et al., Med. Image Anal. 2019), as far as public code tells.
"""

import torch
from torch import Tensor, nn

from .complex import as_complex, as_real
from .recurrent import ConvGRU


class Update(nn.Module):
    """(gradient, image, state) -> (change, state): complex images, and the hidden states of two gated units.

    [gradient, image] -> conv 5x5, unit -> conv 3x3 dilated by 2, unit -> conv 3x3; no state: the memory is empty.
    The last convolution starts at zero: nothing is added.
    """

    def __init__(self, width: int):
        super().__init__()
        wide = nn.Conv2d(width, width, 3, padding=2, dilation=2)
        self.conv = nn.ModuleList([nn.Conv2d(4, width, 5, padding=2), wide])
        self.unit = nn.ModuleList(ConvGRU(width, width, kernel=1) for _ in range(2))
        self.last = nn.Conv2d(width, 2, 3, padding=1, bias=False)
        nn.init.zeros_(self.last.weight)

    def forward(self, gradient: Tensor, x: Tensor, state: list[Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
        features, after = torch.cat([as_real(gradient), as_real(x)], 1), []
        for conv, unit, h in zip(self.conv, self.unit, state or [None, None]):
            features = unit(conv(features).relu(), h)
            after.append(features)
        return as_complex(self.last(features)), after
