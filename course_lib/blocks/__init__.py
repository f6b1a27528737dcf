"""Networks without MRI opinions, and the adapters between them and complex images."""

from .cnn import cnn
from .complex import OnComplex, as_complex, as_real
from .interpolator import REACH, Interpolator, Residual
from .recurrent import ConvGRU
from .unet import UNet

__all__ = ["REACH", "ConvGRU", "Interpolator", "OnComplex", "Residual", "UNet", "as_complex", "as_real", "cnn"]
