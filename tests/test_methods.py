"""Every method keeps the contract."""

import math

import pytest

from course_lib import diff
from course_lib.check import contract, phantom, small
from course_lib.methods import METHODS
from course_lib.train import fit


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("sentence", contract())
def test_method(name, sentence):
    contract()[sentence](name)


@pytest.mark.parametrize("name", METHODS)
def test_card_is_complete(name):
    card = METHODS[name]
    assert card.section and card.learns in ("nothing", "database", "scan")
    learns = any(True for _ in card.build(**card.small).parameters())
    assert learns == (card.learns == "database"), "only methods that learn from a database hold parameters at rest"
    assert set(card.small) <= set(card.cls.__init__.__annotations__)


def test_what_sees_few_rows_trains_on_more_and_thinner_strips():
    assert METHODS["dc_cnn"].cut(32, 2) == (16, 4) and METHODS["unet"].cut(32, 2) == (32, 2)
    assert METHODS["kiki_net"].cut(32, 2) == METHODS["dc_cnn"].cut(None, 2) == (None, 2)


def test_the_difference_of_two_methods_is_that_of_their_classes():
    assert diff("modl", "modl") == ""
    lines = diff("dc_cnn", "modl").splitlines()
    assert "-class DCCNN(Reconstructor):" in lines and "+class MoDL(Reconstructor):" in lines
    assert not any("@method" in line or "differs" in line for line in lines)


@pytest.mark.gpu
@pytest.mark.parametrize("name", METHODS)
def test_the_method_on_a_gpu_is_that_on_a_cpu(name):
    sample = phantom(name)
    there, model = sample.to("cuda"), small(name)
    x = model(sample.kspace, sample.A).detach()
    y = small(name).to("cuda")(there.kspace, there.A).detach().cpu()
    if getattr(METHODS[name].cls, "clean_images", False):  # a search in z may end elsewhere, but as near to the data
        misfit = lambda image: (sample.A(image) - sample.kspace).norm()
        assert misfit(y) < 1.5 * misfit(x)
    else:
        assert (x - y).norm() < 1e-2 * x.norm()


@pytest.mark.gpu
@pytest.mark.parametrize("name", [name for name, card in METHODS.items() if card.learns == "database"])
def test_the_method_trains_on_a_gpu(name):
    model, samples = small(name).to("cuda"), [phantom(name, seed=seed) for seed in range(2)]
    run = fit(model, samples, samples, seconds=4, batch=2, checks=1, progress=False)
    assert run.steps > 1 and all(map(math.isfinite, run.losses))
