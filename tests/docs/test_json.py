"""What `--json` prints is what docs/reference/json.md says: no field more, and those that are always there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.cli import app
from tests.docs.pages import ROOT
from tests.unit.suites import changed
from tests.unit.tiny_datasets import crowdpose

PAGE = (ROOT / "docs/reference/json.md").read_text(encoding="utf-8")
MET_HERE = ("plan", "show", "diff", "check", "verify", "lint", "score", "data list", "data verify", "doctor", "conform")


def documented(command: str) -> dict[str, bool]:
    """Patterns of the fields of a command, and whether each is there in every output."""
    section = re.search(rf"^## bench {command}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    assert section is not None, f"nothing is said of bench {command}"
    found: dict[str, bool] = {}
    for names, words in re.findall(r"^\| (`.*?) \| (.*) \|$", section[1], re.M):
        base = ""
        for name in re.findall(r"`(\S+?)`", names):
            base = f"{base.rpartition('.')[0]}{name}" if name.startswith(".") else name
            found[base] = "where" not in words and not base.endswith("*")
    return found


def paths(value: Any, path: str = "") -> Iterator[str]:
    """Where everything in a JSON document is, as the page writes it; an empty list or object is there, too."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from paths(inner, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        yield f"{path}[]"
        for inner in value:
            yield from paths(inner, f"{path}[]")
    else:
        yield path


def fits(path: str, pattern: str) -> bool:
    """Whether a path is of a pattern. An empty or missing object has none of its fields."""
    plain, wanted = (text.replace("[]", "@") for text in (path, pattern))
    return fnmatchcase(plain, wanted) or (wanted.startswith(f"{plain}.") and wanted != plain)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each command prints of simulated results and of a made-up dataset."""
    folder = tmp_path_factory.mktemp("json")
    runner = CliRunner()

    def call(*words: object) -> Any:
        result = runner.invoke(app, [*map(str, words)], catch_exceptions=False)
        assert result.stdout, result.output
        return result.stdout

    suite, results, data = folder / "example.yaml", folder / "results", folder / "data"
    suite.write_text(changed(("input_size: [64x64]", "input_size: [64x64]\n    seed: [0, 1]")), encoding="utf-8")
    call("simulate", suite, "--results", results)
    planned = json.loads(call("plan", suite, "--results", results, "--json"))
    one, *_, other = (evaluation["id"] for evaluation in planned["evaluations"])
    baseline, capsule = folder / "baseline.yaml", folder / "capsule.zip"
    call("export", suite, "--results", results, "--out", capsule)
    truth = crowdpose(data / "crowdpose") / "annotations/crowdpose_test.json"
    predictions = folder / "predictions.json"
    predictions.write_text("[]")
    measured = planned["evaluations"]
    baseline.write_text(
        json.dumps(
            {
                "version": 1,
                "suite": "example",
                "default": {"tolerance": {"AP": 0.1}},
                "evaluations": [{"id": item["id"], "cell": "any", "metrics": {"AP": 0.5}} for item in measured],
            }
        )
    )
    said = {
        "plan": call("plan", suite, "--results", results, "--json"),
        "status": call("status", suite, "--results", results, "--json"),
        "show": call("show", one, "--results", results, "--suites", folder, "--json"),
        "diff": call("diff", one, other, "--results", results, "--json"),
        "check": call("check", suite, "--results", results, "--baseline", baseline, "--json"),
        "verify": call("verify", capsule, "--data-root", data, "--json"),
        "doctor": call("doctor", "--data-root", data, "--results", results, "--json"),
        "lint": call("lint", "--json"),
        "conform": call("conform", "simdr", "--json"),
        "score": call(
            *("score", "--protocol", "crowdpose", "--annotations", truth, "--predictions", predictions, "--json")
        ),
        "data list": call("data", "list", "--data-root", data, "--json"),
        "data verify": call("data", "verify", "crowdpose", "test", "--data-root", data, "--json"),
    }
    return {command: json.loads(text) for command, text in said.items()}


@pytest.mark.parametrize("command", MET_HERE)
def test_every_field_is_documented_and_there(command: str, outputs: dict[str, Any]) -> None:
    known, found = documented(command), sorted(set(paths(outputs[command])))
    assert not [path for path in found if not any(fits(path, name) for name in known)], "not documented"
    assert not [name for name, always in known.items() if always and not any(fits(path, name) for path in found)]


def test_status_is_a_plan_without_forecasts(outputs: dict[str, Any]) -> None:
    known = documented("plan")
    found = set(paths(outputs["status"]))
    assert not [path for path in found if not any(fits(path, name) for name in known)]
    assert not [path for path in found if "forecast" in path]


def test_every_command_with_json_has_its_section() -> None:
    commands = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## bench (.+?)\n(.*?)(?=^## |\Z)", commands, re.M | re.S)
    assert {name for name, text in sections if "`--json`" in text} == set(re.findall(r"^## bench (.+)$", PAGE, re.M))
