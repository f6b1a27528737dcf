"""Networks without MRI opinions, and the adapters between them and complex images."""

from .cnn import cnn
from .complex import OnComplex, as_complex, as_real
from .critic import Critic
from .encoder import Encoder
from .recurrent import ConvGRU
from .resnet import resnet
from .strided import StridedUNet
from .unet import UNet

__all__ = ["ConvGRU", "Critic", "Encoder", "OnComplex", "StridedUNet", "UNet", "as_complex", "as_real", "cnn", "resnet"]
