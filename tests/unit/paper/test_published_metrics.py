"""The page's metrics under the names and in the units of our records."""

from bench.paper.published import published_rows


def test_mpii_rows_are_in_percent_under_our_names() -> None:
    rows = {row.id: dict(row.metrics) for row in published_rows() if row.table == "mpii_val"}
    assert len(rows) == 9
    assert rows["mpii_val/1"] == {
        "Head": 89.7, "Shoulder": 86.6, "Elbow": 75.1, "Wrist": 65.7, "Hip": 77.2, "Knee": 69.2, "Ankle": 63.6,
        "Mean": 76.4,
    }  # fmt: skip
    assert rows["mpii_val/6"] == {
        "Head@0.1": 12.9, "Shoulder@0.1": 11.7, "Elbow@0.1": 9.7, "Wrist@0.1": 7.1, "Hip@0.1": 7.2, "Knee@0.1": 7.2,
        "Ankle@0.1": 6.6, "Mean@0.1": 9.2,
    }  # fmt: skip


def test_every_row_has_metrics() -> None:
    assert all(row.metrics for row in published_rows())
