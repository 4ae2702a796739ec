"""A real SLURM cluster (`make test-slurm` starts it), a suite for it, and a checker of every status on the way."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.checker import Checker
from tests.slurm.cluster import Cluster
from tests.slurm.desk import Desk

HINT = "start one with `make test-slurm`, which needs root on Debian"


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster that SLURM_CONF names."""
    if not os.environ.get("SLURM_CONF") or shutil.which("sinfo") is None:
        pytest.skip(f"needs a SLURM cluster: {HINT}")
    cluster = Cluster(Path(os.environ["SLURM_CONF"]))
    if not cluster.answers():
        pytest.skip(f"the SLURM cluster of {os.environ['SLURM_CONF']} does not answer: {HINT}")
    return cluster


@pytest.fixture
def desk(tmp_path: Path, data_root: Path, cluster: Cluster) -> Iterator[Desk]:
    """A user's folder; whatever of its jobs is left at the end is ended."""
    desk = Desk(tmp_path, data_root)
    yield desk
    desk.leave()
    cluster.fix()


@pytest.fixture
def watched(desk: Desk) -> Iterator[Checker]:
    """Checks the status of the desk's suite until the test is over."""
    with Checker(desk) as checker:
        yield checker
