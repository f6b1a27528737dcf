"""Networks without MRI opinions, and the adapters between them and complex images."""

from .cnn import cnn
from .complex import OnCoils, OnComplex, as_complex, as_real
from .consistency import keep
from .recurrent import ConvGRU
from .resnet import resnet
from .unet import UNet

__all__ = ["ConvGRU", "OnCoils", "OnComplex", "UNet", "as_complex", "as_real", "cnn", "keep", "resnet"]
