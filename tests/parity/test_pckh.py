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
    names = want["names_values"].tolist()
    np.testing.assert_allclose([found[name] for name in names], want[f"pckh_{threshold}"], atol=1e-9)


def test_one_evaluation_answers_both_published_tables() -> None:
    """The columns at 0.1 come along with those at 0.5, so that a record answers a row of each."""
    want = golden("mpii_pckh")
    truth = read_head_truth(FIXTURES / "golden" / "mpii_gt_valid.mat")
    found = pckh(want["preds"].astype(np.float64), truth)
    columns = want["names_values"].tolist()[:8]
    np.testing.assert_allclose([found[f"{name}@0.1"] for name in columns], want["pckh_0.1"][:8], atol=1e-9)
    assert list(found) == [*columns, *(f"{name}@0.1" for name in columns)]
