"""Linear operators of MRI: immutable values with A(x), A @ B, A.H and A.N."""

from .linear import Adjoint, Compose, Identity, LinearOperator, Normal, Stack, Sum
from .sense import Coils, Fourier, Mask, Sense, fft2c, ifft2c
from .sparse import FiniteDifference, Wavelet

__all__ = [
    "Adjoint",
    "Coils",
    "Compose",
    "FiniteDifference",
    "Fourier",
    "Identity",
    "LinearOperator",
    "Mask",
    "Normal",
    "Sense",
    "Stack",
    "Sum",
    "Wavelet",
    "fft2c",
    "ifft2c",
]
