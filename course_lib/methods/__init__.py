"""The table of contents: one line a method, in the order of the review."""

from .base import METHODS, Card, Reconstructor, card, method
from .classic import zero_filled as zero_filled  # isort: split
from .classic import sense_cg as sense_cg  # isort: split
from .classic import cs_wavelet as cs_wavelet  # isort: split
from .classic import cs_tv as cs_tv  # isort: split
from .restore import unet as unet  # isort: split
from .unrolled import dc_cnn as dc_cnn  # isort: split
from .unrolled import modl as modl  # isort: split

__all__ = ["METHODS", "Card", "Reconstructor", "card", "method"]
