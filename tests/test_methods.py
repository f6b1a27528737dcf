"""Every method keeps the contract."""

import pytest

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
