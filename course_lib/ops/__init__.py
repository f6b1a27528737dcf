"""Linear operators of MRI: immutable values with A(x), A @ B, A.H and A.N."""

from .compensation import density, ramp
from .hankel import Hankel
from .linear import Adjoint, Compose, Identity, LinearOperator, Normal, Stack, Sum
from .patches import Patches
from .radial import Radial, RadialSense
from .sense import Coils, Fourier, Mask, Sense, fft2c, ifft2c
from .sparse import FiniteDifference, TimeDifference, Wavelet

__all__ = [
    "Adjoint",
    "Coils",
    "Compose",
    "FiniteDifference",
    "Fourier",
    "Hankel",
    "Identity",
    "LinearOperator",
    "Mask",
    "Normal",
    "Patches",
    "Radial",
    "RadialSense",
    "Sense",
    "Stack",
    "Sum",
    "TimeDifference",
    "Wavelet",
    "density",
    "fft2c",
    "ifft2c",
    "ramp",
]
