"""Networks without MRI opinions, and the adapters between them and complex images."""

from .cnn import cnn
from .complex import OnCoils, OnComplex, OnComplexChannels, as_complex, as_real, real_matrix
from .complex_layers import Cardioid, ComplexConv, CReLU, ModReLU, complex_valued
from .complex_unet import complex_net, two_channel
from .consistency import keep
from .critic import Critic
from .curve import Bumps, PiecewiseLinear, read_off
from .dense import dense
from .encoder import Encoder
from .experts import FieldsOfExperts
from .filters import CosineFilters, Filters, cosines, mirrored
from .interpolator import REACH, Interpolator, Residual
from .layers import Layers, real
from .learned_transform import LearnedTransform
from .recurrent import ConvGRU
from .refinement import FullyConnected, refinement
from .resnet import resnet
from .srcnn import srcnn
from .strided import StridedUNet
from .transform import Transform, inverse_fourier
from .unet import UNet

__all__ = [
    "Bumps", "CReLU", "Cardioid", "ComplexConv", "ConvGRU", "CosineFilters", "Critic", "Encoder", "FieldsOfExperts",
    "Filters", "FullyConnected", "Interpolator", "Layers", "LearnedTransform", "ModReLU", "OnCoils", "OnComplex",
    "OnComplexChannels", "PiecewiseLinear", "REACH", "Residual", "StridedUNet", "Transform", "UNet", "as_complex",
    "as_real", "cnn", "complex_net", "complex_valued", "cosines", "dense", "inverse_fourier", "keep", "mirrored",
    "read_off", "real", "real_matrix", "refinement", "resnet", "srcnn", "two_channel",
]  # fmt: skip
