"""Where the cases are met."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bad_inputs.case import Case, Meet, check


@pytest.fixture
def meet(tmp_path: Path) -> Meet:
    """Builds a case in a folder of its own and has its command meet it."""

    def meet_case(case: Case) -> None:
        check(case, tmp_path)

    return meet_case
