"""Every parser takes an input or refuses it with an error that names the file, whatever the input."""

from __future__ import annotations

import pytest

from tests.fuzz.__main__ import fuzz
from tests.fuzz.targets import TARGETS

INPUTS = 30
"""Per parser; `make fuzz` gives each ten thousand."""


@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_takes_or_refuses_whatever_it_is_given(name: str) -> None:
    assert fuzz(name, INPUTS, derandomize=True).total() >= INPUTS
