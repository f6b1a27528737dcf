"""The review's claims as experiments: `run(4)` measures and returns a Verdict. One import line a file."""

from ..profiles import profile
from .base import EXPERIMENTS, Experiment, Verdict, decide, experiment

# isort: off
from . import parallel_imaging as parallel_imaging
from . import sparsity as sparsity
from . import combination as combination
from . import speed as speed
from . import tuning as tuning
from . import learned as learned
from . import shift as shift
from . import activations as activations
from . import restoration as restoration
from . import structures as structures
from . import adversarial as adversarial
from . import direct as direct
from . import films as films
from . import domains as domains
from . import dynamic as dynamic
from . import scan_specific as scan_specific
from . import interpolation as interpolation
from . import resolution as resolution
from . import noisy as noisy
from . import learned_optimisers as learned_optimisers
from . import self_supervision as self_supervision
from . import generative as generative
from . import unrolled as unrolled
from . import unrolled_data as unrolled_data
# isort: on


def run(number: int, name: str | None = None) -> Verdict:
    """The verdict on claim `number`, measured now in the profile called `name` (COURSE_PROFILE or the machine's)."""
    return EXPERIMENTS[number].run(profile(name))


__all__ = ["EXPERIMENTS", "Experiment", "Verdict", "decide", "experiment", "run"]
