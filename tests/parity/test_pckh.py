"""PCKh against the reference."""

import numpy as np
import pytest

from bench.pose.metrics.pckh import pckh, read_head_truth
from tests.parity.golden import FIXTURES, golden


@pytest.mark.parametrize("threshold", [0.5, 0.1])
def test_reported_columns(threshold: float) -> None:
    want = golden("mpii_pckh")
    truth = read_head_truth(FIXTURES / "golden" / "mpii_gt_valid.mat")
    found = pckh(want["preds"].astype(np.float64), truth, threshold)
    assert list(found) == want["names_values"].tolist()
    np.testing.assert_allclose(list(found.values()), want[f"pckh_{threshold}"], atol=1e-9)
