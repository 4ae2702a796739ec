"""The scale of a verdict beside the paper's, and what a verdict then says about a claim."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.analysis.scale import Scale, count_text, paper_lengths, percent_text, scale_of
from bench.analysis.verdicts import ClaimVerdict, judge
from bench.files import write_json
from bench.planning.plan import PlannedEvaluation, PlannedTraining
from bench.pose.data.datasets import DatasetInfo, dataset_info
from bench.pose.skeletons import COCO_17
from bench.report.claims import claims_table
from bench.store.documents import EpochEntry, TrainingRecord
from tests.unit.made_up import PROVENANCE, MadeUp, MeanPerInstance

PAPERS = 140 * 149_813

LINE: Mapping[str, Any] = {
    "training": "a",
    "split": "train2017",
    "evaluation_split": "val2017",
    "backbone": "simba_res50",
    "input_size": "64x64",
    "initialization": "imagenet",
    "instances_seen": PAPERS,
    "distinct_instances": 149_813,
    "simulated": False,
}

OWN_DATA = DatasetInfo("sports", "Sports", COCO_17, "here")


def scale(*changes: Mapping[str, Any], info: DatasetInfo | None = None) -> Scale:
    lines = pd.DataFrame([{**LINE, "training": str(number), **change} for number, change in enumerate(changes or [{}])])
    lines = lines.astype({"instances_seen": "Int64", "distinct_instances": "Int64"})
    found = scale_of(lines, info or dataset_info("coco"))
    assert found is not None
    return found


def test_the_papers_lengths_are_its_epochs_times_its_instances() -> None:
    coco = paper_lengths("coco")
    assert coco["simba_res50"] == coco["simba_res152"] == coco["simba_res50_upsample_free"] == PAPERS
    assert coco["hrnet_w32"] == coco["hrnet_w48"] == 210 * 149_813
    assert coco["tokenpose_s"] == 300 * 149_813
    assert paper_lengths("mpii") == {"hrnet_w32": 210 * 22_246}
    assert paper_lengths("crowdpose") == {"hrnet_w32": 210 * 42_400}


def test_nothing_measured_has_no_scale() -> None:
    assert scale_of(pd.DataFrame([LINE]).head(0), dataset_info("coco")) is None


def test_the_papers_own_scale() -> None:
    found = scale()
    assert (found.toy, found.known) == (False, True)
    assert str(found) == "instances seen: 21 million of 21 million (100%); as in the paper: data, backbone, input size"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"instances_seen": PAPERS // 2 - 1}, "instances seen: 10.5 million of 21 million (50%)"),
        ({"backbone": "simba_tiny"}, "other backbone: SimBa-tiny"),
        ({"input_size": "96x96"}, "other input size: 96x96"),
        ({"split": "val2017"}, "other data: trained on val2017"),
        ({"evaluation_split": "train2017"}, "other data: measured on train2017"),
        ({"distinct_instances": 6_000}, "a part of the data: 6,000 instances of 149,813"),
        ({"simulated": True}, "made-up numbers"),
    ],
)
def test_each_way_to_fall_short_of_the_paper_is_toy_and_named(change: Mapping[str, Any], words: str) -> None:
    found = scale(change)
    assert found.toy
    assert words in str(found)


@pytest.mark.parametrize(
    "change",
    [
        {"instances_seen": PAPERS // 2 + 1},
        {"distinct_instances": 149_000},
        {"distinct_instances": None},
        {"backbone": "simba_res50_upsample_free"},
    ],
)
def test_what_the_paper_allows_is_not_toy(change: Mapping[str, Any]) -> None:
    assert not scale({}, change).toy


def test_longer_recipes_have_longer_papers() -> None:
    """HRNet's 210 epochs: what is more than half for SimBa is less than half for it."""
    assert scale({"backbone": "hrnet_w32", "instances_seen": 100 * 149_813}).toy
    assert not scale({"instances_seen": 100 * 149_813}).toy


def test_other_data_is_held_against_the_papers_shortest_training_on_coco() -> None:
    few = {"backbone": "simba_tiny", "distinct_instances": 750, "instances_seen": 30_000}
    found = scale(few, few | {"distinct_instances": 6_000, "instances_seen": 480_000}, info=OWN_DATA)
    assert str(found) == (
        "instances seen: 30,000 of 21 million (0.14%) to 480,000 of 21 million (2.3%); other data: Sports, 750 to 6,000"
        " instances; other backbone: SimBa-tiny; as in the paper: input size"
    )
    assert scale({"backbone": "hrnet_w32", "input_size": "256x256"}, info=dataset_info("mpii")).other == (
        "other data: trained on train2017; other data: measured on val2017",
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"initialization": "checkpoint", "instances_seen": 0}, "given weights, trained elsewhere"),
        ({"instances_seen": None}, "the records do not say"),
    ],
)
def test_an_unknown_length_is_neither_toy_nor_enough(change: Mapping[str, Any], why: str) -> None:
    found = scale({}, change)
    assert (found.toy, found.known) == (False, False)
    assert f"instances seen: not known ({why})" in str(found)


def test_numbers_keep_their_first_digits() -> None:
    assert [count_text(count) for count in (0, 999_999, 1_000_000, 31_460_730)] == [
        "0",
        "999,999",
        "1 million",
        "31.5 million",
    ]
    assert [percent_text(part) for part in (0, 3e-5, 0.0229, 0.5, 1.5)] == ["0%", "0.003%", "2.3%", "50%", "150%"]


# ---- Outcomes

COCO = """\
name: outcomes
title: Outcomes
dataset: {{name: coco, train: train2017, eval: val2017}}
train:
  axes: {{backbone: [{backbone}], representation: [heatmap, simdr], input_size: [64x64], seed: [{seeds}]}}
evaluate: [{{boxes: gt, post_process: none}}]
tables: [{{id: results, metrics: [AP]}}]
claims: [{{id: gain, says: It is better, by: {by}, that: "AP[simdr] - AP[heatmap] > 0"}}]
"""


def outcome(
    folder: Path, gain: float, *, by: str = "paper", seeds: str = "0, 1, 2", backbone: str = "simba_res50",
    seen: int | None = PAPERS,
) -> ClaimVerdict:  # fmt: skip
    made_up = MadeUp(folder, COCO.format(backbone=backbone, seeds=seeds, by=by))

    def ap(training: PlannedTraining, _: PlannedEvaluation) -> Mapping[str, float]:
        record_training(made_up, training, seen)
        return {"AP": 0.5 + training.spec.seed / 1000 + gain * (training.spec.representation == "simdr")}

    images = np.random.default_rng(0).normal(0, 0.01, 200)
    made_up.fill(ap, lambda metrics: MeanPerInstance({"AP": images - images.mean() + metrics["AP"]}))
    results = made_up.results()
    (judged,) = judge(results, made_up.uncertainty(results))
    table = claims_table(results, (judged,))
    assert table is not None
    cells = dict(zip([column.key for column in table.columns], table.rows[0].cells, strict=True))
    assert (cells["outcome"].text, cells["scale"].text) == (judged.outcome, str(judged.scale))
    assert cells["instances_seen"].value == seen
    assert cells["instances_seen_paper"].value == (None if seen is None else PAPERS)
    return judged


def record_training(made_up: MadeUp, training: PlannedTraining, seen: int | None) -> None:
    epochs = [] if seen is None else [149_813] * (seen // 149_813)
    record = TrainingRecord(
        id=training.spec.id, spec=training.spec, params=1, seconds=1.0, weights_sha256="", problems=[],
        provenance=PROVENANCE,
        history=[EpochEntry(epoch=n, loss=1, learning_rate=1, instances=count) for n, count in enumerate(epochs)],
    )  # fmt: skip
    write_json(made_up.store.training(training.spec.id).record_file, record.model_dump(mode="json"), durable=False)


@pytest.mark.parametrize(
    ("gain", "settings", "expected"),
    [
        (0.1, {}, ("reproduced", "verified")),
        (-0.1, {}, ("contradicted", "falsified")),
        (0.0, {}, ("within noise", "inconclusive")),
        (0.1, {"seeds": "0"}, ("reproduced", "inconclusive")),
        (-0.1, {"seen": 3 * 149_813}, ("contradicted", "toy")),
        (0.1, {"backbone": "simba_tiny"}, ("reproduced", "toy")),
        (0.1, {"backbone": "simba_tiny", "by": "suite"}, ("reproduced", "verified")),
        (0.1, {"backbone": "simba_tiny", "by": "suite", "seeds": "0"}, ("reproduced", "inconclusive")),
        (0.1, {"backbone": "simba_tiny", "by": "Another (2020)"}, ("reproduced", "toy")),
        (0.1, {"seen": None}, ("reproduced", "inconclusive")),
        (0.1, {"seen": None, "by": "suite"}, ("reproduced", "verified")),
    ],
)  # fmt: skip
def test_the_outcome_needs_scale_seeds_and_a_decision(
    gain: float, settings: dict[str, Any], expected: tuple[str, str], tmp_path: Path
) -> None:
    judged = outcome(tmp_path, gain, **settings)
    assert (judged.verdict, judged.outcome) == expected


def test_a_claim_that_is_not_measured_is_inconclusive(tmp_path: Path) -> None:
    made_up = MadeUp(tmp_path, COCO.format(backbone="simba_res50", seeds="0", by="paper"))
    results = made_up.results()
    (judged,) = judge(results, made_up.uncertainty(results))
    assert (judged.verdict, judged.outcome, judged.scale) == ("not measured", "inconclusive", None)
