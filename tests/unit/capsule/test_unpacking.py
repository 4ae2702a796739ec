"""Reports from a capsule alone: those of the results folder, and refused where `bench verify` refuses."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.capsule.export import pack
from bench.capsule.manifest import CapsuleError
from bench.capsule.unpacking import unpack
from bench.cli import app
from bench.files import sha256
from bench.planning.plan import make_plan, parse_selection
from bench.report.document import Report, make_report
from bench.report.render_csv import render_csv
from bench.report.render_markdown import render_markdown
from bench.report.tables import Table
from bench.store.documents import Failure
from bench.store.folders import Store
from bench.suite.overrides import override
from tests.unit import tiny_datasets
from tests.unit.capsule.test_capsule import CROWDPOSE, Bench, Members, edited, finish, members, one, rehash, write

CLAIMS = """\
claims:
  - {id: gain, says: SimDR wins, that: "AP[simdr] - AP[heatmap, post_process] > 0"}
  - {id: refined, says: Refinement helps, that: "AP[heatmap, post_process] - AP[heatmap, not post_process] > 0"}
"""


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return finish(tmp_path_factory.mktemp("crowd"), CROWDPOSE + CLAIMS, tiny_datasets.crowdpose)


def report_of(capsule: Path, *, pictures: bool = False) -> Report:
    with unpack(capsule) as found:
        return make_report(found.plan, found.store, pictures=pictures, left_out=found.left_out, source=found.source)


def same(one: Table | None, other: Table | None) -> bool:
    """Whether two tables print and store the same; that they do is not said of none."""
    assert one is not None
    assert other is not None
    return (one.title, one.rows, one.remarks) == (other.title, other.rows, other.remarks)


def test_it_is_the_report_of_the_results_folder(crowd: Bench) -> None:
    here, there = make_report(crowd.plan, crowd.store), report_of(crowd.capsule, pictures=True)
    assert [same(*pair) for pair in zip(here.tables, there.tables, strict=True)] == [True]
    assert same(here.claims, there.claims)
    assert here.glance.rows == there.glance.rows[:-1]
    for name in ("title", "summary", "details", "provenance", "exclusions", "problems"):
        assert getattr(here, name) == getattr(there, name), name
    drawn, again = ([(one.title, one.caption, one.png) for one in made.pictures] for made in (here, there))
    assert drawn == again
    (claim, *_) = csv_of(there.claims)
    assert "[" in claim, "verdicts have intervals, which need the per-instance results"


def csv_of(table: Table | None) -> list[str]:
    assert table is not None
    return render_csv(table, simulated=False).splitlines()[1:]


def test_it_names_the_capsule_and_its_hash_and_says_once_that_images_are_absent(crowd: Bench) -> None:
    report = report_of(crowd.capsule, pictures=True)
    what, source = (cell.text for cell in report.glance.rows[-1].cells)
    assert what == "Source"
    assert source.startswith(f"Capsule capsule.zip, sha256 {sha256(crowd.capsule)}, packed by bench ")
    assert render_markdown(report).count("a capsule holds none") == 1


def test_what_is_missing_keeps_its_reason(crowd: Bench, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    shutil.copytree(crowd.store.root, store.root)
    (heatmap, _) = crowd.plan.trainings
    gone = store.evaluation(heatmap.evaluations[0].spec.id)
    gone.record_file.unlink()
    gone.fail(Failure(kind="Memory", message="full"))
    plan = make_plan(crowd.plan.suite, store)
    pack(plan, store, tmp_path / "part.zip", report=False)
    here, there = make_report(plan, store, pictures=False), report_of(tmp_path / "part.zip")
    assert all(same(*pair) for pair in zip(here.tables, there.tables, strict=True))
    assert same(here.claims, there.claims)
    assert "failed: Memory: full" in render_csv(there.tables[0], simulated=False)


def test_the_selection_and_the_settings_are_those_that_it_was_packed_with(crowd: Bench, tmp_path: Path) -> None:
    suite = override(crowd.plan.suite, ["flip_test=true"])
    plan = make_plan(suite, crowd.store, parse_selection(["representation=simdr"], suite))
    pack(plan, crowd.store, tmp_path / "part.zip", selection=["representation=simdr"], report=False)
    with unpack(tmp_path / "part.zip") as found:
        assert [training.spec.representation for training in found.plan.trainings] == ["simdr"]
        assert found.plan.suite.settings == ("flip_test=true",)


def test_predictions_are_not_needed(crowd: Bench, tmp_path: Path) -> None:
    pack(crowd.plan, crowd.store, tmp_path / "small.zip", predictions=False, report=False)
    assert same(report_of(tmp_path / "small.zip").claims, report_of(crowd.capsule).claims)


def broken_hash(contents: Members) -> Members:
    return contents | {one(contents, "/record.json"): b"{}"}


def other_spec(contents: Members) -> Members:
    name = one(contents, "/record.json")
    return rehash(contents | {name: edited(contents[name], lambda record: record["spec"].update(batch_size=7))})


def extension(contents: Members) -> Members:
    text = contents["suite.yaml"].replace(b"dataset:", b"extensions: [antigravity]\ndataset:")
    return rehash(contents | {"suite.yaml": text})


def other_suite(contents: Members) -> Members:
    return rehash(contents | {"suite.yaml": contents["suite.yaml"].replace(b"64x64", b"96x96")})


def unreadable_suite(contents: Members) -> Members:
    return rehash(contents | {"suite.yaml": b"name: ["})


def no_suite(contents: Members) -> Members:
    return rehash({name: data for name, data in contents.items() if name != "suite.yaml"})


def hostile_name(contents: Members) -> Members:
    return rehash(contents | {"trainings/../../escaped.json": b"{}"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (broken_hash, "record.json has another size than the manifest says"),
        (other_spec, "one was changed"),
        (extension, "suite.yaml:3: names the module 'antigravity', which is not run unless --extension names it"),
        (other_suite, "suite.yaml plans none of its 3 evaluations in this version of bench"),
        (unreadable_suite, "suite.yaml:1"),
        (no_suite, "suite.yaml is missing"),
        (hostile_name, "may lead out of its folder"),
    ],
)
def test_what_verify_refuses_is_refused(
    change: Callable[[Members], Members], message: str, crowd: Bench, tmp_path: Path
) -> None:
    file = write(tmp_path / "other.zip", change(members(crowd.capsule)))
    done = CliRunner().invoke(app, ["report", "--capsule", str(file), "--out", str(tmp_path / "out")])
    assert isinstance(done.exception, CapsuleError)
    assert str(done.exception).startswith(f"{file}: ")
    assert message in str(done.exception)
    assert "/bench-capsule-" not in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_arrays_do_not_expand_without_bound(crowd: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.capsule.unpacking.MOST_PER_INSTANCE", 100)
    with pytest.raises(CapsuleError, match=r"per_instance\.npz unpacks to \d+ bytes"), unpack(crowd.capsule):
        pass


def test_a_manifest_that_says_done_of_what_is_not_there_is_missing(crowd: Bench, tmp_path: Path) -> None:
    contents = members(crowd.capsule)
    (gone, *_) = sorted({name.split("/")[1] for name in contents if name.startswith("evaluations/")})
    kept = {name: data for name, data in contents.items() if gone not in name}
    kept["manifest.json"] = edited(kept["manifest.json"], lambda manifest: manifest["missing"].update({gone: "done"}))
    report = report_of(write(tmp_path / "other.zip", rehash(kept)))
    assert "missing: done" in render_csv(report.tables[0], simulated=False)


def test_broken_arrays_cost_their_intervals_only(crowd: Bench, tmp_path: Path) -> None:
    contents = members(crowd.capsule)
    contents[one(contents, "per_instance.npz")] = b"PK broken"
    report = report_of(write(tmp_path / "other.zip", rehash(contents)))
    assert len(report.problems) == 1
    assert len(report.tables[0].rows) == 3


def test_evaluations_that_the_suite_does_not_plan_are_counted(crowd: Bench, tmp_path: Path) -> None:
    contents = members(crowd.capsule)
    text = contents["suite.yaml"].decode().replace("post_process: [quarter, none]", "post_process: quarter")
    text = text.split("claims:")[0]
    report = report_of(write(tmp_path / "other.zip", rehash(contents | {"suite.yaml": text.encode()})))
    assert "1 of its evaluations are not shown" in report.glance.rows[-1].cells[1].text


@pytest.mark.parametrize(
    "option",
    [["ci"], ["--results", "r"], ["--only", "a=b"], ["--set", "a=b"], ["--subset", "3"], ["--budget", "0"],
     ["--calibration", "c.json"]],
)  # fmt: skip
def test_options_that_a_capsule_answers_itself_are_refused_beside_it(option: list[str], crowd: Bench) -> None:
    done = CliRunner().invoke(app, ["report", "--capsule", str(crowd.capsule), *option])
    assert done.exit_code == 2
    assert "a capsule says itself what it holds" in " ".join(done.output.split())


def test_an_extension_is_named_for_a_capsule_only() -> None:
    done = CliRunner().invoke(app, ["report", "ci", "--extension", "x"])
    assert done.exit_code == 2
    assert "goes with --capsule" in done.output
