"""Every block does what the page says, from the first to the last."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.desk import Desk
from tests.docs.pages import PAGES, Page

STARTED = {page.after for page in map(Page.read, PAGES)}
"""Pages that another one begins with: they are worked through with it."""

CHAINS = [page for page in PAGES if page not in STARTED and Page.read(page).blocks]
WITH_SLURM = [page for page in CHAINS if any(block.directive.kind == "slurm" for block in Page.read(page).blocks)]


@pytest.mark.docs
@pytest.mark.parametrize("path", CHAINS, ids=str)
def test_a_page_does_what_it_says(path: Path, tmp_path: Path) -> None:
    Desk(tmp_path, slurm=False).work_through(Page.read(path))


@pytest.mark.slurm
@pytest.mark.parametrize("path", WITH_SLURM, ids=str)
def test_a_page_does_what_it_says_on_a_cluster(path: Path, tmp_path: Path, cluster: object) -> None:
    Desk(tmp_path, slurm=True).work_through(Page.read(path))
