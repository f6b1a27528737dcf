"""Networks without MRI opinions, and the adapters between them and complex images."""

from .autoencoder import AutoEncoder
from .cnn import cnn, silent, start_as
from .complex import CoilByCoil, OnCoils, OnComplex, OnComplexChannels, as_complex, as_real, real_matrix
from .complex_layers import Cardioid, ComplexConv, CReLU, ModReLU, complex_valued
from .complex_unet import complex_net, two_channel
from .consistency import keep
from .critic import Critic
from .curve import Bumps, PiecewiseLinear, read_off
from .dense import dense
from .encoder import Encoder
from .experts import FieldsOfExperts
from .filters import Filters, cosines, mirrored
from .generator import Generator
from .filters import CosineFilters, Filters, cosines, mirrored
from .interpolator import REACH, Interpolator, Residual
from .layers import Layers, real
from .learned_transform import LearnedTransform
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
    "AutoEncoder", "Bumps", "CReLU", "Cardioid", "CoilByCoil", "ComplexConv", "ConvGRU", "Critic", "Encoder",
    "FieldsOfExperts", "Filters", "FullyConnected", "Generator", "Interpolator", "Layers", "LearnedTransform",
    "ModReLU", "NormUNet", "OnCoils", "OnComplex", "OnComplexChannels", "REACH", "Recurrent", "Residual",
    "StridedUNet", "Transform", "UNet", "Update", "as_complex", "as_real", "cnn", "complex_net", "complex_valued",
    "cosines", "dense", "from_fastmri", "inverse_fourier", "keep", "mirrored", "read_off", "real", "real_matrix",
    "refinement", "resnet", "silent", "srcnn", "start_as", "two_channel",
    "Bumps", "CReLU", "Cardioid", "ComplexConv", "ConvGRU", "CosineFilters", "Critic", "Encoder", "FieldsOfExperts",
    "Filters", "FullyConnected", "Interpolator", "Layers", "LearnedTransform", "ModReLU", "OnCoils", "OnComplex",
    "OnComplexChannels", "PiecewiseLinear", "REACH", "Residual", "StridedUNet", "Transform", "UNet", "as_complex",
    "as_real", "cnn", "complex_net", "complex_valued", "cosines", "dense", "inverse_fourier", "keep", "mirrored",
    "read_off", "real", "real_matrix", "refinement", "resnet", "srcnn", "two_channel",
]  # fmt: skip
