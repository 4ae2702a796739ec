"""Results of an older schema: told of where they are asked for, read past where they are not."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from bench.files import StoreError
from bench.store.folders import Store
from bench.suite.specs import SCHEMA_VERSION
from tests.command import bench
from tests.unit.suites import changed, example_evaluation, example_training

OLDER = 2


def id_of(fields: dict[str, Any]) -> str:
    canonical = json.dumps(fields | {"schema": OLDER}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


@pytest.fixture
def older(tmp_path: Path) -> str:
    """A results folder with an evaluation as schema 2 had it; the id of the evaluation."""
    training = example_training(tmp_path).model_dump(mode="json")
    training["half_body_min_joints"] = training.pop("half_body_min_keypoints")
    evaluation = example_evaluation(tmp_path).model_dump(mode="json")
    evaluation |= {"training": id_of(training), "post_process": False, "refinement": None}
    folder = tmp_path / "results/evaluations" / id_of(evaluation)
    folder.mkdir(parents=True)
    record = {"id": folder.name, "spec": evaluation, "training": training, "metrics": {"AP": 0.4}, "baseline": {}}
    (folder / "record.json").write_text(json.dumps(record))
    (folder / "spec.json").write_text(json.dumps(evaluation))
    (tmp_path / "example.yaml").write_text(changed())
    return folder.name


def test_a_record_that_is_asked_for_is_refused_by_its_schema(older: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        Store(tmp_path / "results").evaluation(older).record()
    message = f"its spec is of schema {OLDER}, this version of bench reads schema {SCHEMA_VERSION}; read it with"
    assert message in str(caught.value)
    done = bench("show", older, cwd=tmp_path)
    assert done.returncode == 3
    assert message in done.stderr
    assert "run its suite again" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [["status", "example.yaml"], ["report", "example.yaml", "--format", "md"]])
def test_suites_are_read_past_it(command: list[str], older: str, tmp_path: Path) -> None:
    done = bench(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert older not in done.stdout
    assert "missing" in done.stdout + "".join(file.read_text() for file in tmp_path.glob("reports/*/report.md"))
