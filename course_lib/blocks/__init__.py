"""Networks without MRI opinions, and the adapters between them and complex images."""

from .cnn import cnn
from .complex import OnComplex, as_complex, as_real, real_matrix
from .critic import Critic
from .encoder import Encoder
from .recurrent import ConvGRU
from .refinement import FullyConnected, refinement
from .resnet import resnet
from .strided import StridedUNet
from .transform import Transform, inverse_fourier
from .unet import UNet

__all__ = ["ConvGRU", "Critic", "Encoder", "FullyConnected", "OnComplex", "StridedUNet", "Transform", "UNet", "as_complex", "as_real", "cnn", "inverse_fourier", "real_matrix", "refinement", "resnet"]
