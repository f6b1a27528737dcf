"""The table of contents: one line a method, in the order of the review."""

from .base import METHODS, Card, Reconstructor, card, method

# isort: off
from .classic import zero_filled as zero_filled
from .classic import gridding as gridding
from .classic import sense as sense
from .classic import sense_cg as sense_cg
from .classic import cs_wavelet as cs_wavelet
from .classic import cs_tv as cs_tv
from .restore import wang_cnn as wang_cnn
from .restore import unet as unet
from .restore import residual_unet as residual_unet
from .restore import gan as gan
from .restore import dagan as dagan
from .restore import gancs as gancs
from .restore import unet_3d as unet_3d
from .restore import phase_contrast as phase_contrast
from .restore import srcnn as srcnn
from .restore import sr_unet as sr_unet
from .kspace import grappa as grappa
from .kspace import spirit as spirit
from .kspace import raki as raki
from .kspace import rraki as rraki
from .kspace import deep_spirit as deep_spirit
from .kspace import aloha as aloha
from .kspace import kspace_unet as kspace_unet
from .kspace import loraks as loraks
from .direct import automap as automap
from .direct import dautomap as dautomap
from .cross import w_net as w_net
from .cross import kiki_net as kiki_net
from .unrolled import admm_net as admm_net
from .unrolled import varnet as varnet
from .unrolled import e2e_varnet as e2e_varnet
from .unrolled import ista_net as ista_net
from .unrolled import dc_cnn as dc_cnn
from .unrolled import modl as modl
# isort: on

__all__ = ["METHODS", "Card", "Reconstructor", "card", "method"]
