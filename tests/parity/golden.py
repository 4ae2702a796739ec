"""Numbers that the reference implementation produced, stored under tests/fixtures/golden."""

from pathlib import Path

import numpy as np

FIXTURES = Path(__file__).parents[1] / "fixtures"


def golden(name: str) -> dict[str, np.ndarray]:
    """All arrays of one golden file."""
    with np.load(FIXTURES / "golden" / f"{name}.npz", allow_pickle=False) as arrays:
        return dict(arrays)
