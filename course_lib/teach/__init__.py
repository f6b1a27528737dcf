"""What only the notebooks need: how they show images, curves and numbers."""

from . import figures, training

__all__ = ["figures", "training"]
