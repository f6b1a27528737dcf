"""What only the notebooks need: how they show images, curves and numbers."""

from . import figures

__all__ = ["figures"]
