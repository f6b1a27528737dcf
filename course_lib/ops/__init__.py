"""Linear operators of MRI: immutable values with A(x), A @ B, A.H and A.N."""

from .linear import Adjoint, Compose, Identity, LinearOperator, Normal, Stack, Sum
from .sense import Coils, Fourier, Mask, Sense, fft2c, ifft2c

__all__ = ["Adjoint", "Coils", "Compose", "Fourier", "Identity", "LinearOperator", "Mask", "Normal", "Sense", "Stack",
           "Sum", "fft2c", "ifft2c"]
