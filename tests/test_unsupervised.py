"""Review, section 3: what learns without a truth must not see one."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch

from course_lib.check import phantom, small
from course_lib.data.sample import Sample
from course_lib.methods import METHODS, Reconstructor
from course_lib.methods.base import Card
from course_lib.train import fit

PRIORS = {
    "gan_prior",
    "adapted_gan",
}  # learn what images look like from images that belong to no scan: they see no data


def learners() -> list[str]:
    return [name for name, card in METHODS.items() if card.section == "3" and card.learns == "database"]


def without_truth(sample: Sample) -> Sample:
    return replace(sample, image=sample.image * torch.nan)


def without_data(sample: Sample) -> Sample:
    return replace(sample, kspace=sample.kspace * torch.nan)


def trains(model: Reconstructor, card: Card, poison: Callable[[Sample], Sample]) -> bool:
    """Whether a few steps of `fit` on poisoned samples move the weights and leave them finite."""
    samples: Sequence[Sample] = [_sample(card, seed) for seed in range(3)]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    try:
        run = fit(model, [poison(s) for s in samples], samples[:1], seconds=1.0, checks=1, progress=False)
    except Exception:  # a loss that is no number
        return False
    finite = all(v.isfinite().all() for v in model.state_dict().values())
    moved = any(not torch.equal(v, before[key]) for key, v in model.state_dict().items())
    return run.steps > 0 and finite and moved and all(v == v for v in run.losses)


def _sample(card: Card, seed: int) -> Sample:
    return phantom(card.name, seed=seed)


@pytest.mark.parametrize("name", learners())
def test_it_trains_without_a_truth(name):
    """Or, if it learns from images that belong to no scan, without data: never from pairs."""
    poison = without_data if name in PRIORS else without_truth
    assert trains(small(name), METHODS[name], poison)


def test_there_is_something_to_test():
    assert "noise2noise" in learners()


def test_a_method_that_looks_at_the_truth_is_found():
    assert not trains(small("modl"), METHODS["modl"], without_truth)
    assert not trains(small("modl"), METHODS["modl"], without_data)
    assert trains(small("modl"), METHODS["modl"], lambda sample: sample)
