"""Settings of every test: one thread per process, as pytest-xdist runs a process per core."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from bench.execute import pool
from bench.pose.data.datasets import open_split
from tests.command import PRELOAD

torch.set_num_threads(1)
pool.PRELOAD = PRELOAD
# How long an example takes depends on what else the machine does.
settings.register_profile("bench", deadline=None)
settings.load_profile("bench")


@pytest.fixture(scope="session", autouse=True)
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps the user's cache out of the tests, and the tests out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with two small synthetic splits."""
    root = tmp_path_factory.mktemp("data")
    for split in ("train48", "val16"):
        open_split("synthetic", root / "synthetic", split)
    return root
