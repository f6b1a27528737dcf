"""Every claim of every method, as a sentence."""

import pytest

from course_lib.check import claims, phantom, small
from course_lib.methods import METHODS

SENTENCES = [pytest.param(name, text, id=f"{name}: {text}") for name in METHODS for text in claims(name)]


@pytest.mark.parametrize("name, text", SENTENCES)
def test_claim(name, text):
    claims(name)[text](small(name), phantom(name))
