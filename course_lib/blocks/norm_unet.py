"""The U-Net as fastMRI's VarNet uses it (Sriram et al., MICCAI 2020), and the names that fastMRI gives its weights."""

import re
from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.functional import pad

from .unet import UNet

MULTIPLE = 16  # sides are filled up with zeros, half before and half after
RENAMED = (
    (r"down_sample_layers", "down"),
    (r"up_transpose_conv", "up"),
    (r"up_conv\.\d+\.1\.", "last."),
    (r"up_conv\.(\d+)(\.0)?", r"merge.\1"),
    (r"\bconv\b", "bottom"),
    (r"\.layers\.0\.", ".0."),
    (r"\.layers\.4\.", ".3."),
)


class NormUNet(nn.Module):
    """The U-Net sees channels of mean 0 and standard deviation 1; what it answers is scaled and shifted back."""

    def __init__(self, width: int, depth: int, channels: int = 2):
        super().__init__()
        self.unet = UNet(width, depth, channels, channels)

    def silent(self) -> "NormUNet":
        """The last layer set to zero: at first the mean of each channel comes out; returns itself."""
        self.unet.silent()
        return self

    def forward(self, x: Tensor) -> Tensor:
        mean, std = x.mean((-2, -1), keepdim=True), x.std((-2, -1), keepdim=True).clamp_min(1e-9)
        spare = [-n % MULTIPLE for n in x.shape[-2:]]
        top, left = (n // 2 for n in spare)
        filled = pad((x - mean) / std, [left, spare[1] - left, top, spare[0] - top])
        answer = self.unet(filled)[..., top : top + x.shape[-2], left : left + x.shape[-1]]
        return answer * std + mean


def from_fastmri(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of `fastmri.models.Unet`, or of a network that holds it, under our names."""
    found = {}
    for name, weight in weights.items():
        for theirs, ours in RENAMED:
            name = re.sub(theirs, ours, name)
        found[name] = weight
    return found
