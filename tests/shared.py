"""The real data sets, which a user's machine need not have."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


def shared_data(name: str) -> Path:
    """Folder of a real data set, beside the repository or where the environment variable BENCH_SHARED says."""
    shared = Path(os.environ.get("BENCH_SHARED", REPOSITORY.parent / "shared"))
    folder = shared / "data" / name
    if not folder.is_dir():
        pytest.skip(f"needs the real data set {name!r} in {folder}; set BENCH_SHARED to the folder that holds data/")
    return folder
