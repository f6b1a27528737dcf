"""AUTOMAP's layers: numbers fully connected with pixels, then two layers of features, then an image made of them."""

from torch import Tensor, nn


def refinement(channels: int, width: int = 64) -> nn.Sequential:
    """Two 5x5 convolutions with ReLU (the features), and one 7x7 transposed convolution that adds the features up."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 5, padding=2),
        nn.ReLU(),
        nn.Conv2d(width, width, 5, padding=2),
        nn.ReLU(),
        nn.ConvTranspose2d(width, channels, 7, padding=3),
    )


class FullyConnected(nn.Module):
    """Real (batch, inside, height, width) -> (batch, 1, height, width): two full matrices with tanh, then `refinement`.

    3 n^4 + 2 n^2 parameters before the convolutions for n x n pixels and two channels inside.
    """

    def __init__(self, size: tuple[int, int], inside: int = 2, width: int = 64):
        super().__init__()
        n2 = size[0] * size[1]
        fully = [nn.Linear(inside * n2, n2), nn.Tanh(), nn.Linear(n2, n2), nn.Tanh()]
        self.h = nn.Sequential(nn.Flatten(), *fully, nn.Unflatten(1, (1, *size)))
        *features, self.deconv = refinement(1, width)
        self.f = nn.Sequential(*features)

    def forward(self, x: Tensor) -> Tensor:
        return self.deconv(self.f(self.h(x)))
