"""Every parser of the project with valid documents to start from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import yaml

from bench.compare.gate.baseline import load_baseline
from bench.execute.slurm.ledger import Ledger
from bench.execute.slurm.profile import load_profile
from bench.files import write_json
from bench.planning.forecast.evidence import gather, load_calibration
from bench.planning.plan import make_plan, parse_selection
from bench.pose.errors import BenchError
from bench.pose.skeletons import COCO_17
from bench.report.document import make_report
from bench.report.render_html import render_html
from bench.report.stored_instances import read_instances
from bench.store.folders import Store
from bench.store.leases import Leases, Owner
from bench.suite.expansion import expand
from bench.suite.recipe import RECIPES
from bench.suite.rules import read_rules, training_settings
from bench.suite.schema import load_suite
from bench.suite.source import Problem, read_yaml
from tests.end_to_end.conftest import SUITE as TINY
from tests.fuzz.documents import (
    CALIBRATION,
    INSTANCES,
    JOB_PROGRESS,
    LEDGER,
    finished,
)
from tests.fuzz.formats import FORMATS
from tests.fuzz.mutation import broken, garbled, mutated, mutated_json
from tests.fuzz.target import Target
from tests.unit.suites import SUITE

__all__ = ["TARGETS"]

REPOSITORY = Path(__file__).parents[2]

YAML_PIECES = st.sampled_from(
    ["&a ", "*a", "<<: ", "- ", ": ", "? ", "{", "}", "[", "]", ",", "'", '"', "#", "\t", "\n", "\n  ", "---\n", "|",
     ">", "!!python/object/apply:os.system [id]", "!!int ", "!!binary ", "%YAML 9.9\n", "2001-99-99", ".nan", "1e999",
     "0x", "~", "&a [*a]", "yes", "=", "1:30"]
)  # fmt: skip

CLAIM_PIECES = st.sampled_from(
    ["AP", "AR", "simdr", "heatmap", "post_process", "not ", "seed", "64x64", "[", "]", "(", ")", ",", "=", "+", "-",
     "*", ">", "<=", "abs(", "1e999", "0", ".5", "@", "(" * 30, "sigma=", "input_size=64x64", "boxes=gt", "sigma=[",
     "sigma={"]
)  # fmt: skip


def _yaml(texts: list[str]) -> st.SearchStrategy[bytes]:
    """YAML changed as a document or as a text."""

    def dumped(document: Any) -> bytes:
        return yaml.safe_dump(document, sort_keys=False).encode("utf-8", "surrogatepass")

    documents = [mutated(yaml.safe_load(text)).map(dumped) for text in texts]
    written = [garbled(text, YAML_PIECES).map(lambda text: text.encode("utf-8", "surrogatepass")) for text in texts]
    return broken(st.one_of(*documents, *written))


def _in_file(file: Path, inputs: st.SearchStrategy[bytes], read: Callable[[], object]) -> Target:
    """A parser of a file, which its errors must name."""

    def write_and_read(contents: bytes) -> None:
        file.write_bytes(contents)
        read()

    file.parent.mkdir(parents=True, exist_ok=True)
    return Target(inputs, write_and_read, file.name)


def _suite(folder: Path) -> Target:
    file = folder / "fuzzed.yaml"
    suites = [(REPOSITORY / "suites" / f"{name}.yaml").read_text() for name in ("quickstart", "ci")]
    return _in_file(file, _yaml([TINY, SUITE, *suites]), lambda: expand(load_suite(file)))


def _profile(folder: Path) -> Target:
    file = folder / "profile.yaml"
    texts = [source.read_text() for source in sorted((REPOSITORY / "slurm" / "profiles").glob("*.yaml"))]

    def read() -> None:
        profile = load_profile(file)
        for world_size in (1, 3, 8):
            with suppress(BenchError):  # of a training that does not fit, whose file is another
                profile.parameters(profile.shape(world_size))

    return _in_file(file, _yaml(texts), read)


def _baseline(folder: Path) -> Target:
    file = folder / "baseline.yaml"
    return _in_file(
        file,
        _yaml([(REPOSITORY / "results" / "baselines" / "ci.yaml").read_text()]),
        lambda: load_baseline(file, "ci"),
    )


def _rules(folder: Path) -> Target:
    file = folder / "rules.yaml"
    recipes = [REPOSITORY / "bench" / "suite" / "recipes" / f"{name}.yaml" for name in RECIPES]
    texts = [yaml.safe_dump(yaml.safe_load(recipe.read_text())["train"]) for recipe in recipes]

    def read() -> None:
        source = read_yaml(file)
        problems: list[Problem] = []
        if isinstance(source.data, list):
            read_rules(source.data, (), problems, settings=training_settings(), conditions=training_settings())
        if problems:
            raise source.error(problems)

    return _in_file(file, _yaml(texts), read)


CLAIMS = (
    "AP[simdr, input_size=64x64] - AP[heatmap, post_process] > 0.01",
    "abs(AP[simdr] - (2 * AP[heatmap, not post_process] - 0.5 * AP[heatmap, post_process])) <= 0.5",
    "AR[representation=simdr, boxes=gt] >= AR[heatmap, post_process, sigma=2] + 1e-3",
)


def _claims(folder: Path) -> Target:
    file = folder / "claims.yaml"
    document = yaml.safe_load(TINY)

    def read(text: str) -> None:
        document["claims"] = [{"id": "claim", "says": "It holds.", "that": text}]
        file.write_bytes(yaml.safe_dump(document).encode("utf-8", "surrogatepass"))
        expand(load_suite(file))

    return Target(st.sampled_from(CLAIMS).flatmap(lambda text: garbled(text, CLAIM_PIECES)), read, file.name)


def _only(folder: Path) -> Target:
    file = folder / "suite.yaml"
    file.write_text(TINY)
    suite = load_suite(file)
    pieces = st.sampled_from(["=", ",", "backbone", "representation", "seed", "simdr", "64x64", " "])
    items = st.sampled_from(["representation=simdr,heatmap", "backbone=simba_tiny", "input_size=64x64"])
    texts = st.lists(items.flatmap(lambda item: garbled(item, pieces)), max_size=3)

    def read(items: list[str]) -> None:
        make_plan(suite, Store(folder / "results"), parse_selection(items, suite))

    return Target(texts, read, "--only")


def _records(folder: Path) -> Target:
    """A record edited by hand, and the report of it."""
    plan, store = finished(folder)
    (file,) = store.evaluations.glob("*/record.json")

    def read() -> None:
        record = store.evaluation(file.parent.name).record()
        report = make_report(plan, store, pictures=False)
        assert (record is not None) == bool(report.provenance.entries)
        render_html(report)

    return _in_file(file, mutated_json(json.loads(file.read_text())), read)


def _training_records(folder: Path) -> Target:
    plan, store = finished(folder)
    (file,) = store.trainings.glob("*/training.json")

    def read() -> None:
        store.training(file.parent.name).record()
        render_html(make_report(plan, store, pictures=False))

    return _in_file(file, mutated_json(json.loads(file.read_text())), read)


def _specs(folder: Path) -> Target:
    _, store = finished(folder)
    (file,) = store.evaluations.glob("*/spec.json")
    return _in_file(file, mutated_json(json.loads(file.read_text())), lambda: store.evaluation(file.parent.name).spec())


def _heartbeats(folder: Path) -> Target:
    _, store = finished(folder)
    (training,) = store.trainings.iterdir()
    file = training / "progress.json"
    return _in_file(file, mutated_json(JOB_PROGRESS), store.training(training.name).job_progress)


def _leases(folder: Path) -> Target:
    leases = Leases(folder / "leases")
    owner = Owner(token="0" * 32, host="here", boot="another", pid=7, job="12_3", restart=0, since=1.7e9)

    def read() -> None:
        leases.latest()
        leases.held()
        leases.history()

    return _in_file(leases.file(1), mutated_json(owner.model_dump()), read)


def _ledger(folder: Path) -> Target:
    ledger = Ledger(folder)
    return _in_file(ledger.folder("one").file, mutated_json(LEDGER), ledger.tickets)


def _sent(folder: Path) -> Target:
    ledger = Ledger(folder)
    write_json(ledger.folder("one").file, LEDGER)
    file = ledger.folder("one").path / "sent-0.json"
    return _in_file(file, mutated_json({"job": "123", "error": ""}), ledger.tickets)


def _calibration(folder: Path) -> Target:
    file = folder / "calibration.json"

    def read() -> None:
        calibration = load_calibration(file)
        gather(Store(folder / "results"), calibration.kind, calibration)

    return _in_file(file, mutated_json(CALIBRATION), read)


def _instances(folder: Path) -> Target:
    _, store = finished(folder)
    (evaluation,) = store.evaluations.iterdir()
    return _in_file(
        evaluation / "instances.json",
        mutated_json(INSTANCES),
        lambda: read_instances(store.evaluation(evaluation.name), COCO_17),
    )


TARGETS: Mapping[str, Callable[[Path], Target]] = {
    "suite": _suite,
    "profile": _profile,
    "rules": _rules,
    "claims": _claims,
    "baseline": _baseline,
    "selection": _only,
    "record.json": _records,
    "training.json": _training_records,
    "spec.json": _specs,
    "progress.json": _heartbeats,
    "instances.json": _instances,
    "leases": _leases,
    "ledger": _ledger,
    "sent.json": _sent,
    "calibration": _calibration,
    **FORMATS,
}
"""By name, a parser at work in a folder of its own."""
