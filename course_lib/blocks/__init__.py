"""Networks without MRI opinions, and the adapters between them and complex images."""

from .cnn import cnn
from .complex import OnComplex, as_complex, as_real, real_matrix
from .recurrent import ConvGRU
from .refinement import FullyConnected, refinement
from .transform import Transform, inverse_fourier
from .unet import UNet

__all__ = [
    "ConvGRU", "FullyConnected", "OnComplex", "Transform", "UNet", "as_complex", "as_real", "cnn", "inverse_fourier",
    "real_matrix", "refinement",
]  # fmt: skip
