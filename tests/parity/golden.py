"""Numbers that public implementations produced, stored under tests/fixtures."""

from pathlib import Path

import numpy as np

FIXTURES = Path(__file__).parents[1] / "fixtures"


def golden(name: str, folder: str = "golden") -> dict[str, np.ndarray]:
    """All arrays of one golden file: of the SimDR reference, or of mmpose in folder golden_mmpose."""
    with np.load(FIXTURES / folder / f"{name}.npz", allow_pickle=False) as arrays:
        return dict(arrays)
