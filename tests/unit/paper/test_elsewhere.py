"""What other projects publish for the same cells."""

from __future__ import annotations

from bench.paper.elsewhere import elsewhere_rows, find_elsewhere
from bench.pose.codecs.representation import REPRESENTATIONS
from bench.pose.input_size import InputSize
from bench.pose.models.backbone import BACKBONES

CELL = {
    "dataset": "coco", "backbone": "simba_res50", "representation": "rle", "input_size": InputSize(256, 192),
    "post_process": "none", "epochs": 140,
}  # fmt: skip


def test_rows_name_cells_that_exist_with_source_and_protocol() -> None:
    for row in elsewhere_rows():
        assert row.settings["backbone"] in BACKBONES
        known = REPRESENTATIONS[row.settings["representation"]]
        assert row.settings["post_process"] in known.decoding.get("post_process", ("none",))
        assert row.metrics
        assert all(0 < value <= (100 if "Mean" in name else 1) for name, value in row.metrics.items())
        assert "flip test" in row.words
        assert "mmpose" in row.words
    assert len({row.id for row in elsewhere_rows()}) == len(elsewhere_rows()) == 52


def test_a_cell_finds_its_row_by_all_that_tells_it() -> None:
    row = find_elsewhere(CELL)
    assert row is not None
    assert row.metrics["AP"] == 0.706
    assert find_elsewhere(CELL | {"input_size": InputSize(64, 64)}) is None
    integral = CELL | {"representation": "integral", "input_size": InputSize(256, 256), "debias": "none"}
    found = {loss: find_elsewhere(integral | {"map_loss": loss}) for loss in ("divergence", "squared", "none")}
    assert {loss: row and row.metrics["AP"] for loss, row in found.items()} == {
        "divergence": 0.674, "squared": 0.633, "none": None,
    }  # fmt: skip
