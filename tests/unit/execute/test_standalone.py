"""`bench eval`: the settings that its options stand for."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.execute import standalone
from bench.pose.evaluation import EvalResult

NETWORKS = [
    ("simba_res50", "heatmap", "quarter"),
    ("hrnet_w32", "heatmap", "quarter"),
    ("tokenpose_s", "heatmap", "dark"),
    ("hrnet_w32", "simdr", "none"),
]


def asked_for(options: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, Any]:
    """Specs that `bench eval` measures with these options, and its box file."""
    given: list[Any] = []

    def measure(*settings: object, box_file: object, **_: object) -> EvalResult:
        given.extend((*settings[:2], box_file))
        return EvalResult(results=[], metrics={}, files={}, instances=0, problems=[])

    monkeypatch.setattr(standalone, "evaluate_weights", measure)
    command = f"eval --input-size 64x64 --dataset coco {options}"
    files = ["--split", "val2017", "--dataset-dir", ".", "--checkpoint", "w.pt", "--out", "out", "--boxes", "gt"]
    done = CliRunner().invoke(app, [*command.split(), *files])
    assert done.exit_code == 0, done.output
    trained, asked, box_file = given
    return *standalone.complete_specs(trained, asked, "gt"), box_file


@pytest.mark.parametrize(("backbone", "representation", "refinement"), NETWORKS)
@pytest.mark.parametrize("option", ["", "--post-process", "--no-post-process"])
def test_post_process_means_the_recipe_s_refinement(
    option: str, backbone: str, representation: str, refinement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = f"--backbone {backbone} --representation {representation}"
    training, evaluation, box_file = asked_for(f"{network} {option}", monkeypatch)
    assert evaluation.post_process == ("none" if option == "--no-post-process" else refinement)
    assert (evaluation.evaluator, evaluation.boxes, evaluation.training) == ("pycocotools", "gt", training.id)
    assert box_file is None


@pytest.mark.parametrize(("backbone", "shift"), [("simba_res50", "reference"), ("tokenpose_s", "none")])
def test_the_shift_that_is_not_given_is_the_recipe_s(
    backbone: str, shift: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = f"--backbone {backbone} --representation heatmap"
    found = [asked_for(f"{network} {option}", monkeypatch)[1].flip_shift for option in ("", "--shift", "--no-shift")]
    assert found == [shift, "reference", "none"]
