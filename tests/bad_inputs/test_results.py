"""Results that were edited by hand, are of an older schema, or were damaged; and baselines."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from bench.execute.slurm.ledger import Ledger
from bench.files import write_bytes
from bench.pose.errors import DataError
from bench.pose.metrics.per_instance import load_per_instance
from bench.suite.expansion import expand
from bench.suite.schema import load_suite
from tests.bad_inputs.case import Case, Meet, run
from tests.bad_inputs.test_checkpoints import Code
from tests.fuzz.documents import CALIBRATION, LEDGER, ONE_CELL, finished
from tests.reports import Bench

Edit = Callable[[dict[str, Any]], object]

REPORT = "report suite.yaml --format md,csv --out reports"
STATUS = "status suite.yaml"


def _evaluation_id() -> str:
    """The id of the one evaluation, which depends on the schema of specs."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "suite.yaml"
        file.write_text(ONE_CELL)
        (cell,) = expand(load_suite(file)).cells
    return cell.evaluations[0].id


EVALUATION = _evaluation_id()


def _file(folder: Path, pattern: str) -> Path:
    (file,) = (folder / "results").glob(pattern)
    return file


def _case(name: str, pattern: str, change: Edit | bytes, command: str, says: tuple[str, ...], status: int) -> Case:
    def build(folder: Path) -> None:
        finished(folder)
        file = _file(folder, pattern)
        if isinstance(change, bytes):
            file.write_bytes(change)
        else:
            contents = json.loads(file.read_text())
            change(contents)
            file.write_text(json.dumps(contents))

    return Case(name, build, command, says, status)


def show(name: str, change: Edit | bytes, *says: str) -> Case:
    """A record that whoever asks for it is told of."""

    def build(folder: Path) -> None:
        _case(name, "evaluations/*/record.json", change, "", (), 0).build(folder)

    return Case(f"record: {name}", build, f"show {EVALUATION}", ("error: ", "record.json", *says))


def training(name: str, change: Edit | bytes, *says: str) -> Case:
    """A training's record that the report names; it is written all the same."""
    return _case(f"training: {name}", "trainings/*/training.json", change, REPORT, says, 0)


def beside(name: str, path: str, contents: bytes, command: str, *says: str, status: int = 3) -> Case:
    """A file beside the sound ones; {} stands for the training's or evaluation's id."""

    def build(folder: Path) -> None:
        finished(folder)
        kind, _, rest = path.partition("/")
        ids = _file(folder, f"{kind}/*").name if "{}" in rest else ""
        write_bytes(folder / "results" / kind / rest.format(ids), contents)

    return Case(name, build, command, says, status)


def unfinished(name: str, path: str, contents: bytes, *says: str) -> Case:
    """A file that says where a training stands that is not done."""
    sound = beside(name, path, contents, STATUS, *says)

    def build(folder: Path) -> None:
        sound.build(folder)
        _file(folder, "trainings/*/training.json").unlink()

    return Case(name, build, STATUS, says)


def submission(name: str, change: Edit, *says: str, sent: bytes | None = None) -> Case:
    def build(folder: Path) -> None:
        finished(folder)
        document = json.loads(json.dumps(LEDGER))
        change(document)
        place = Ledger(folder / "results").folder("one")
        write_bytes(place.file, json.dumps(document).encode())
        if sent is not None:
            write_bytes(place.path / "sent-0.json", sent)

    return Case(f"submission: {name}", build, STATUS, says)


def calibration(name: str, contents: bytes, *says: str) -> Case:
    def build(folder: Path) -> None:
        Bench(folder).plan(ONE_CELL)
        (folder / "c.json").write_bytes(contents)

    return Case(f"calibration: {name}", build, "plan suite.yaml --calibration c.json", says)


def of_network(**fields: Any) -> bytes:
    """A calibration whose first measurement is of something else."""
    first, *others = CALIBRATION["points"]
    return json.dumps(CALIBRATION | {"points": [first | fields, *others]}).encode()


def baseline(name: str, contents: str, *says: str) -> Case:
    def build(folder: Path) -> None:
        finished(folder)
        (folder / "baseline.yaml").write_text(contents)

    return Case(f"baseline: {name}", build, "check suite.yaml --baseline baseline.yaml", says)


ENTRY = {"id": "0123456789ab", "cell": "a cell", "metrics": {"AP": 0.5}}
BASELINE = {"version": 1, "suite": "one", "default": {"tolerance": {"AP": 0.01}}, "evaluations": [ENTRY]}


def dumped(**fields: Any) -> str:
    return yaml.safe_dump(BASELINE | fields, sort_keys=False)


CASES = [
    show("empty", b"", "is not valid JSON", "remove it to have its result made again"),
    show("cut off", b'{"id": "', "is not valid JSON"),
    show("nothing", b"null", "holds nothing; remove it"),
    show("a list", b"[]", "Input should be"),
    show(
        "metric of words",
        lambda record: record["metrics"].update(AP="good"),
        "metrics.AP: Input should be a valid number",
    ),
    show(
        "metric not a number",
        lambda record: record["metrics"].update(AP=float("nan")),
        "metrics.AP: Input should be a finite",
    ),
    show("unknown field", lambda record: record.update(note="x"), "note: Extra inputs are not permitted"),
    show("missing field", lambda record: record.pop("spec"), "spec: Field required"),
    show("other settings", lambda record: record["spec"].update(flip_test=False), "its spec has id"),
    show("other training", lambda record: record["training"].update(seed=5), "its training has id"),
    show(
        "seed of words",
        lambda record: record["training"].update(seed="five"),
        "training.seed: Input should be a valid int",
    ),
    show("older schema", lambda record: record["training"].pop("precision"), "training.precision: Field required"),
    training("cut off", b"{", "reports/one/report.md"),
    training("loss of words", lambda record: record["history"][0].update(loss="low"), "reports/one/report.md"),
    training(
        "loss without end", lambda record: record["history"][0].update(loss=float("inf")), "reports/one/report.md"
    ),
    beside(
        "spec: of another",
        "evaluations/{}/spec.json",
        b"{}",
        f"show {EVALUATION}",
        "error: ",
        "spec.json: training: Field required",
    ),
    unfinished("failure: no object", "trainings/{}/failure.json", b"[1]", "failure.json", "Input should be"),
    unfinished("failure: cut off", "trainings/{}/failure.json", b"{", "failure.json is not valid JSON"),
    unfinished("lease: text", "trainings/{}/leases/000001.json", b"mine", "000001.json is not valid JSON"),
    unfinished(
        "lease: an option for a job",
        "trainings/{}/leases/000001.json",
        b'{"token": "t", "host": "h", "boot": "b", "pid": 1, "job": "--all", "restart": 0, "since": 0}',
        "000001.json: job: String should match pattern",
    ),
    submission(
        "training without evaluations",
        lambda doc: doc.update(evaluations={}),
        "submission.json: ",
        "training '000000000000' is in an array, but not among the evaluations",
    ),
    submission(
        "retries of words", lambda doc: doc["retries"].update(killed="x"), "submission.json: retries.killed: Input"
    ),
    submission(
        "an option for a job",
        lambda doc: None,
        "sent-0.json: job: String should match pattern",
        sent=b'{"job": "--user=root", "error": ""}',
    ),
    calibration("text", b"fast", "c.json is not valid JSON"),
    calibration("unknown network", of_network(backbone="hrnet"), "c.json: points.0: Value error, unknown backbone"),
    calibration("no time at all", of_network(seconds=0), "c.json: points.0.seconds: Input should be greater than 0"),
    baseline("empty", "", "baseline.yaml:1: expected a mapping with version, suite and evaluations"),
    baseline("other version", dumped(version=2), "baseline.yaml:1: version: Input should be 1"),
    baseline("of another suite", dumped(suite="other"), "baseline.yaml:2: this is the baseline of suite 'other'"),
    baseline("unknown key", dumped(tolerance=1), "baseline.yaml:", "unknown key 'tolerance'"),
    baseline("id that is none", dumped(evaluations=[ENTRY | {"id": "x"}]), "id: String should match pattern"),
    baseline("evaluation twice", dumped(evaluations=[ENTRY, ENTRY]), "evaluation 0123456789ab is given twice"),
    baseline(
        "metric of words", dumped(evaluations=[ENTRY | {"metrics": {"AP": "x"}}]), "AP: Input should be a valid number"
    ),
    baseline(
        "metric not a number", dumped(evaluations=[ENTRY | {"metrics": {"AP": float("nan")}}]), "AP: Input should be a"
    ),
    baseline("metric without a limit", dumped(default={}), "'AP' has neither a tolerance nor a test"),
    baseline(
        "negative tolerance",
        dumped(default={"tolerance": {"AP": -1}}),
        "AP: Input should be greater than or equal to 0",
    ),
    baseline(
        "tolerance and test",
        dumped(default={"tolerance": {"AP": 1}, "test": {"AP": 1}}),
        "'AP' has a tolerance already",
    ),
    baseline(
        "a bomb",
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)),
        "more than 100,000 values",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_results(case: Case, meet: Meet, tmp_path: Path) -> None:
    meet(case)


@pytest.mark.parametrize(
    "command", ["status suite.yaml", "plan suite.yaml", "report suite.yaml --format md --out reports"]
)
def test_a_broken_record_does_not_take_the_suite_down(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished(tmp_path)
    _file(tmp_path, "evaluations/*/record.json").write_text("{")
    monkeypatch.chdir(tmp_path)
    status, said = run(command)
    assert status == 0, said
    if command.startswith("report"):
        assert "record.json is not valid JSON" in Path("reports/one/report.md").read_text()


def test_names_that_control_terminals_are_shown_harmlessly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finished(tmp_path)
    file = _file(tmp_path, "evaluations/*/record.json")
    record = json.loads(file.read_text())
    file.write_text(json.dumps(record | {"problems": ["\x1b[2J\ud800 bad name: truncated"]}))
    monkeypatch.chdir(tmp_path)
    status, said = run(f"show {record['id'][:8]}")
    assert status == 0, said
    assert "bad name: truncated" in said
    assert "\x1b" not in said
    said.encode()


@pytest.mark.parametrize(
    "arrays", [{}, {"kind": "oks"}, {"kind": "pckh", "visible": "all"}, {"kind": "other"}], ids=str
)
def test_per_instance_that_are_none(arrays: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "per_instance.npz"
    np.savez(file, **arrays)
    with pytest.raises(DataError, match=r"per_instance\.npz: not a readable file of per-instance results"):
        load_per_instance(file)


def test_per_instance_that_would_run_code_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("per_instance.npz", kind=np.array([Code()], dtype=object))
    with pytest.raises(DataError, match="Object arrays cannot be loaded"):
        load_per_instance(Path("per_instance.npz"))
    assert not Path("pwned").exists()
