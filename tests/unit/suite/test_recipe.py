"""The `paper` recipe against the hyper-parameters of the reference's 45 training configurations."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from bench.pose.data.datasets import DATASETS
from bench.pose.errors import UnknownNameError
from bench.pose.models.backbone import BACKBONES
from bench.suite.expansion import expand
from bench.suite.recipe import RECIPES, load_recipe
from bench.suite.schema import Suite
from tests.unit.suites import load

CONFIGURATIONS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "fixtures" / "recipes.json").read_text(encoding="utf-8")
)
KNOWN = [entry for entry in CONFIGURATIONS if entry["dataset"] in DATASETS and entry["backbone"] in BACKBONES]
"""Left out are configurations of datasets and backbones that this package does not have yet; they join by themselves
as soon as it has."""

OWN_BATCH = "coco/hrnet/heatmap/w48_384x288_adam_lr1e-3.yaml"
"""Ships with its flip test off (behaviour T15), unlike the table that it stands for."""

LOSSES = {"NMTCritierion": "sum", "NMTNORMCritierion": "mean"}


def devices(entry: dict[str, Any]) -> int:
    """Number of GPUs, written as a count or as the text of a tuple of their numbers."""
    gpus = ast.literal_eval(str(entry["gpus"]))
    return gpus if isinstance(gpus, int) else len(gpus)


def example(entry: dict[str, Any], folder: Path) -> Suite:
    """A suite of the one cell that a configuration trains."""
    height, width = entry["input_hw"]
    return load(
        folder,
        ("{name: coco, train: train2017, eval: val2017}", f"{{name: {entry['dataset']}, train: a, eval: b}}"),
        ("[simba_res50]", f"[{entry['backbone']}]"),
        ("[heatmap, simdr]", f"[{entry['representation']}]"),
        ("[64x64]", f"[{height}x{width}]"),
        ("    - {epochs: 5}", "    - {seed: 0}"),
        ("exclude:\n    - {when: {backbone: hrnet_w48}, because: too big}", "exclude: []"),
        ("{boxes: gt, when: {representation: heatmap}}", "{boxes: gt}"),
    )


@pytest.mark.parametrize("entry", KNOWN, ids=lambda entry: entry["config"].removesuffix(".yaml"))
def test_the_paper_recipe_is_the_configuration(entry: dict[str, Any], tmp_path: Path) -> None:
    (cell,) = expand(example(entry, tmp_path)).cells
    training, (evaluation,) = cell.training, cell.evaluations
    representation = entry["representation"]
    expected = {
        "split_ratio": None if entry["split_ratio"] is None else float(entry["split_ratio"]),
        "sigma": None if representation == "simdr" else entry["sigma"],
        "label_smoothing": entry["label_smoothing"] if representation == "simdr" else None,
        "loss_reduction": LOSSES.get(entry["loss"]),
        "color_order": entry["color"].lower(),
        "flip_probability": 0.5 if entry["flip"] else 0,
        "rotation_factor": entry["rotation"],
        "scale_factor": entry["scale"],
        "half_body_probability": max(0, entry["half_body_prob"]),
        "half_body_min_keypoints": entry["half_body_min_joints"],
        "batch_size": entry["batch_per_gpu"] * devices(entry),
        "replicas": devices(entry),
        "epochs": entry["epochs"],
        "learning_rate": entry["lr"],
        "learning_rate_factor": entry["lr_factor"],
        "milestones": tuple(entry["lr_milestones"]),
    }
    assert {name: training.settings.get(name) for name in expected} == expected

    test = entry["test"]
    expected = {
        "score_threshold": test["in_vis_thre"],
        "nms_threshold": test["oks_thre"],
        "post_process": "quarter" if representation == "heatmap" else "none",
        "flip_test": True,
        "flip_shift": "reference",
    }
    protocol = {name: value for name, value in expected.items() if value is not None}  # MPII has no thresholds
    assert {name: getattr(evaluation, name) for name in protocol} == protocol
    shipped = (test["flip_test"], test["shift_heatmap"], test["post_process"])
    assert shipped == (
        (False, False, True) if entry["config"] == OWN_BATCH else (True, True, representation == "heatmap")
    )


def test_the_configurations_are_all_there() -> None:
    assert len(CONFIGURATIONS) == 45
    coco = [entry for entry in KNOWN if entry["dataset"] == "coco"]
    assert len(coco) == 40, "every COCO configuration is tested"


def test_the_corrected_recipe_replaces_quirks_and_nothing_else(tmp_path: Path) -> None:
    paper, corrected = (
        expand(load(tmp_path, ("recipe: paper", f"recipe: {recipe}"))).cells[-1] for recipe in ("paper", "corrected")
    )
    one, other = (cell.training.model_dump() for cell in (paper, corrected))
    assert {name: [one[name], other[name]] for name in one if one[name] != other[name]} == {
        "milestone_timing": ["reference", "exact"],
        "color_order": ["bgr", "rgb"],
        "half_body_coin": ["normal", "uniform"],
        "replicas": [4, 1],
        "selection": ["best", "final"],
        "selection_split": ["val2017", None],
    }
    assert [cell.evaluations[0].flip_shift for cell in (paper, corrected)] == ["reference", "exact"]


def test_every_recipe_can_be_read_and_an_unknown_one_is_refused() -> None:
    assert set(RECIPES) == {"corrected", "mmpose", "paper"}
    for name in RECIPES:
        assert load_recipe(name).train
        assert load_recipe(name).evaluate
    with pytest.raises(UnknownNameError, match="did you mean 'paper'"):
        load_recipe("papers")
