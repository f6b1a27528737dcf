"""Networks without MRI opinions, and the adapters between them and complex images."""

from .activations import PiecewiseLinear, RadialBasis
from .autoencoder import AutoEncoder
from .cnn import cnn, silent, start_as
from .complex import CoilByCoil, OnCoils, OnComplex, OnComplexChannels, as_complex, as_real, real_matrix
from .complex_layers import Cardioid, ComplexConv, CReLU, ModReLU, complex_valued
from .complex_unet import complex_net, two_channel
from .consistency import keep
from .critic import Critic
from .dense import dense
from .encoder import Encoder
from .filters import Filters
from .generator import Generator
from .interpolator import REACH, Interpolator, Residual
from .layers import Layers, real
from .norm_unet import NormUNet, from_fastmri
from .recurrent import ConvGRU, Recurrent
from .refinement import FullyConnected, refinement
from .resnet import resnet
from .srcnn import srcnn
from .strided import StridedUNet
from .transform import Transform, inverse_fourier
from .unet import UNet
from .update import Update

__all__ = [
    "AutoEncoder", "CReLU", "Cardioid", "CoilByCoil", "ComplexConv", "ConvGRU", "Critic", "Encoder", "Filters",
    "FullyConnected", "Generator", "Interpolator", "Layers", "ModReLU", "NormUNet", "OnCoils", "OnComplex",
    "OnComplexChannels", "PiecewiseLinear", "REACH", "RadialBasis", "Recurrent", "Residual", "StridedUNet",
    "Transform", "UNet", "Update", "as_complex", "as_real", "cnn", "complex_net", "complex_valued", "dense",
    "from_fastmri", "inverse_fourier", "keep", "real", "real_matrix", "refinement", "resnet", "silent", "srcnn",
    "start_as", "two_channel",
]  # fmt: skip
