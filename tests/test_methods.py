"""Every method keeps the contract."""

import pytest

from course_lib import diff
from course_lib.check import contract
from course_lib.methods import METHODS


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


def test_the_difference_of_two_methods_is_that_of_their_classes():
    assert diff("modl", "modl") == ""
    lines = diff("dc_cnn", "modl").splitlines()
    assert "-class DCCNN(Reconstructor):" in lines and "+class MoDL(Reconstructor):" in lines
    assert not any("@method" in line or "differs" in line for line in lines)
