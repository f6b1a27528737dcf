"""Networks without MRI opinions, and the adapters between them and complex images."""

from .cnn import cnn
from .complex import OnComplex, OnComplexChannels, as_complex, as_real
from .complex_layers import Cardioid, ComplexConv, CReLU, ModReLU, complex_valued
from .complex_unet import complex_net, two_channel
from .layers import Layers, real
from .recurrent import ConvGRU
from .unet import UNet

__all__ = [
    "CReLU", "Cardioid", "ComplexConv", "ConvGRU", "Layers", "ModReLU", "OnComplex", "OnComplexChannels", "UNet",
    "as_complex", "as_real", "cnn", "complex_net", "complex_valued", "real", "two_channel",
]  # fmt: skip
