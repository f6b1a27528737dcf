"""Networks without MRI opinions, and the adapters between them and complex images."""

from .cnn import cnn
from .complex import OnComplex, as_complex, as_real
from .encoder import Encoder
from .recurrent import ConvGRU
from .unet import UNet

__all__ = ["ConvGRU", "Encoder", "OnComplex", "UNet", "as_complex", "as_real", "cnn"]
