"""What only the notebooks need: how they show images, curves and numbers, check exercises and ask questions."""

from . import check, figures, quiz, training
from .exercise import use
from .slider import slider
from .start import start

__all__ = ["check", "figures", "quiz", "slider", "start", "training", "use"]
