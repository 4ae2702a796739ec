"""Capsules: packed alike, refused when tampered with, and recomputed from their predictions."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.capsule.export import pack
from bench.capsule.manifest import CapsuleError, is_member
from bench.capsule.verification import VerifiedEvaluation, verify
from bench.files import sha256, write_bytes, write_json
from bench.planning.plan import Plan, PlannedEvaluation, PlannedTraining, make_plan
from bench.pose.data.coco_format import CocoKeypoints
from bench.pose.data.datasets import open_split
from bench.pose.metrics.oks_per_instance import OksPerInstance
from bench.pose.metrics.pck import PCK_THRESHOLDS
from bench.pose.metrics.per_instance import load_per_instance, save_per_instance
from bench.pose.scoring import split_scoring
from bench.simulation.simulated_records import simulate
from bench.simulation.simulated_scores import Chance
from bench.store.documents import Record, TrainingRecord
from bench.store.folders import Store
from bench.store.provenance import Provenance
from bench.suite.schema import load_suite
from tests.unit import tiny_datasets

CROWDPOSE = """\
name: crowd
title: Crowd
dataset: {name: crowdpose, train: trainval, eval: test}
train:
  axes: {backbone: [simba_tiny], representation: [heatmap, simdr], input_size: [64x64]}
  set: [{initialization: kaiming}]
evaluate:
  - {boxes: gt, post_process: [quarter, none], when: {representation: heatmap}}
  - {boxes: gt, when: {representation: simdr}}
tables: [{id: crowd, metrics: [AP]}]
"""

MPII = """\
name: mpii
title: MPII
dataset: {name: mpii, train: train, eval: valid}
train:
  axes: {backbone: [simba_tiny], representation: [simdr], input_size: [64x64]}
  set: [{initialization: kaiming}]
evaluate: [{boxes: gt}]
tables: [{id: mpii, metrics: [Mean]}]
"""

Members = dict[str, bytes]


@dataclass(frozen=True)
class Bench:
    """A finished suite, its data, and its capsule."""

    plan: Plan
    store: Store
    data_root: Path
    capsule: Path


def finish(folder: Path, text: str, dataset: Callable[[Path], Path]) -> Bench:
    """Finish a suite with predictions near the truth, and pack it."""
    (folder / "suite.yaml").write_text(text)
    store, data_root = Store(folder / "results"), folder / "data"
    name = load_suite(folder / "suite.yaml").dataset.name
    dataset(data_root / name)
    plan = make_plan(load_suite(folder / "suite.yaml"), store)
    for training in plan.trainings:
        for item in training.evaluations:
            measure(store, data_root, training, item)
    pack(plan, store, folder / "capsule.zip", report=False)
    return Bench(plan, store, data_root, folder / "capsule.zip")


def measure(store: Store, data_root: Path, training: PlannedTraining, item: PlannedEvaluation) -> None:
    """Store a record of predictions that are off by chance, scored as evaluations are."""
    spec = training.spec
    split = open_split(spec.dataset, data_root / spec.dataset, item.spec.split)
    results = predictions(split, seed=int(item.spec.id, 16))
    found = split_scoring(split).assess(results)
    assert found.per_instance is not None
    origin = Provenance(
        commit=None, dirty=None, versions={}, hardware={}, seed=0, command="bench run", started=0.0,
        files={file.name: sha256(file) for file in (split.annotation_file, split.truth_file)},
    )  # fmt: skip
    trained = TrainingRecord(
        id=spec.id, spec=spec, params=1, history=[], seconds=1.0, weights_sha256="", problems=[], provenance=origin
    )
    record = Record(
        id=item.spec.id, spec=item.spec, training=spec, metrics=found.metrics, baseline={}, instances=6, seconds=1.0,
        problems=[], provenance=origin, diagnostics=found.diagnostics,
    )  # fmt: skip
    folder, evaluation = store.training(spec.id), store.evaluation(item.spec.id)
    folder.save_spec(spec)
    evaluation.save_spec(item.spec)
    write_json(evaluation.predictions, results)
    write_bytes(evaluation.per_instance, save_per_instance(found.per_instance))
    write_json(folder.record_file, trained.model_dump(mode="json"))
    write_json(evaluation.record_file, record.model_dump(mode="json"))


def predictions(split: Any, seed: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    keypoints = split.skeleton.size
    found = []
    for instance in split.instances():
        flat = np.column_stack([instance.keypoints + rng.normal(0, 6, (keypoints, 2)), rng.random(keypoints)])
        score = float(rng.random())
        image = instance.image_id if isinstance(split, CocoKeypoints) else instance.annotation_id
        found.append({"image_id": image, "category_id": 1, "keypoints": flat.ravel().tolist(), "score": score})
    return found


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return finish(tmp_path_factory.mktemp("crowd"), CROWDPOSE, tiny_datasets.crowdpose)


def members(capsule: Path) -> Members:
    with zipfile.ZipFile(capsule) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rehash(contents: Members) -> Members:
    """The manifest of somebody who tampers with care."""
    manifest = json.loads(contents["manifest.json"])
    manifest["members"] = {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in contents.items()
        if name != "manifest.json"
    }
    return contents | {"manifest.json": json.dumps(manifest).encode()}


def write(file: Path, contents: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return file


def edited(data: bytes, edit: Callable[[Any], Any]) -> bytes:
    """JSON with a change made in place."""
    document = json.loads(data)
    edit(document)
    return json.dumps(document).encode()


def one(contents: Members, ending: str) -> str:
    """The first member with that ending."""
    return min(name for name in contents if name.endswith(ending))


def verdicts(cells: tuple[VerifiedEvaluation, ...]) -> list[str]:
    return [cell.verdict for cell in cells]


def test_an_untouched_capsule_agrees(crowd: Bench) -> None:
    found = verify(crowd.capsule, crowd.data_root)
    assert verdicts(found.cells) == ["agrees"] * 3
    assert (found.planned, found.absent) == (3, 0)
    assert all(0 < cell.record.metrics["AP"] < 1 for cell in found.cells)
    assert not found.manifest.simulated


def test_mpii_is_recomputed_too(tmp_path: Path) -> None:
    bench = finish(tmp_path, MPII, tiny_datasets.mpii)
    (cell,) = verify(bench.capsule, bench.data_root).cells
    assert cell.verdict == "agrees"
    contents = members(bench.capsule)
    name = one(contents, "predictions.json")
    contents[name] = edited(contents[name], lambda instances: instances[0].update(keypoints=[0.0] * 48))
    (cell,) = verify(write(tmp_path / "other.zip", rehash(contents)), bench.data_root).cells
    assert cell.verdict == "differs"


def test_where_nobody_was_to_be_judged_nobody_is_again(tmp_path: Path) -> None:
    """No image is easy; an older record says so by -1. A number in its place was invented."""

    def crowded(folder: Path) -> Path:
        file = tiny_datasets.crowdpose(folder) / "annotations/crowdpose_test.json"
        contents = json.loads(file.read_text())
        for image in contents["images"]:
            image["crowdIndex"] = 0.5
        file.write_text(json.dumps(contents))
        return folder

    bench, nobody = finish(tmp_path, CROWDPOSE, crowded), "nobody to judge: no instance of test counts for AP_E, AP_H"
    assert {cell.record.metrics["AP_E"] for cell in verify(bench.capsule, bench.data_root).cells} == {None}
    for value, verdict, details in (
        (-1.0, "agrees", (nobody,)),
        (0.3, "differs", ("AP_E: recorded 0.3, recomputed nobody to judge",)),
    ):
        contents = members(bench.capsule)
        name = one(contents, "/record.json")
        contents[name] = edited(contents[name], lambda record, value=value: record["metrics"].update(AP_E=value))
        cells = verify(write(tmp_path / f"{verdict}.zip", rehash(contents)), bench.data_root).cells
        assert {(cell.verdict, cell.details) for cell in cells} == {(verdict, details), ("agrees", (nobody,))}


def test_equal_results_give_equal_capsules(crowd: Bench, tmp_path: Path) -> None:
    copied = Store(tmp_path / "results")
    shutil.copytree(crowd.store.root, copied.root)
    pack(crowd.plan, copied, tmp_path / "again.zip", report=False)
    assert (tmp_path / "again.zip").read_bytes() == crowd.capsule.read_bytes()


def test_a_capsule_says_what_is_missing(crowd: Bench, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    shutil.copytree(crowd.store.root, store.root)
    gone = crowd.plan.trainings[0].evaluations[0].spec.id
    store.evaluation(gone).record_file.unlink()
    plan = make_plan(crowd.plan.suite, store)
    packed = pack(plan, store, tmp_path / "part.zip", selection=["representation=heatmap"], report=False)
    assert packed.manifest.missing == {gone: "missing: trained, not evaluated yet"}
    found = verify(tmp_path / "part.zip", crowd.data_root)
    assert (found.planned, found.absent) == (3, 1)
    assert found.manifest.selection == ["representation=heatmap"]


def test_nothing_finished_is_nothing_to_pack(crowd: Bench, tmp_path: Path) -> None:
    with pytest.raises(CapsuleError, match="nothing to export"):
        pack(crowd.plan, Store(tmp_path / "results"), tmp_path / "none.zip")
    assert not (tmp_path / "none.zip").exists()


def test_what_cannot_be_recomputed_is_said(crowd: Bench, tmp_path: Path) -> None:
    pack(crowd.plan, crowd.store, tmp_path / "bare.zip", predictions=False, report=False)
    found = verify(tmp_path / "bare.zip", crowd.data_root)
    assert {(cell.verdict, *cell.details) for cell in found.cells} == {
        ("not recomputed", "its predictions were left out of the capsule")
    }

    elsewhere = verify(crowd.capsule, tmp_path / "nowhere")
    assert {cell.verdict for cell in elsewhere.cells} == {"not recomputed"}
    assert "crowdpose_test.json: no such file" in elsewhere.cells[0].details[0]

    shutil.copytree(crowd.data_root, tmp_path / "data")
    annotations = tmp_path / "data" / "crowdpose" / "annotations" / "crowdpose_test.json"
    annotations.write_text(annotations.read_text() + " ")
    other = verify(crowd.capsule, tmp_path / "data")
    assert {cell.verdict for cell in other.cells} == {"not recomputed"}
    assert "crowdpose_test.json here has sha256" in other.cells[0].details[0]


def test_simulated_results_are_marked_and_not_recomputed(crowd: Bench, tmp_path: Path) -> None:
    store = Store(tmp_path / "simulated")
    simulate([crowd.plan], store, Chance(0, 0.2), "bench simulate")
    packed = pack(make_plan(crowd.plan.suite, store), store, tmp_path / "simulated.zip", report=False)
    assert packed.manifest.simulated
    found = verify(tmp_path / "simulated.zip", crowd.data_root)
    assert {cell.details for cell in found.cells} == {("simulated: nothing was predicted",)}

    contents = members(tmp_path / "simulated.zip")
    contents["manifest.json"] = edited(contents["manifest.json"], lambda manifest: manifest.update(simulated=False))
    with pytest.raises(CapsuleError, match="disagree about whether results are simulated"):
        verify(write(tmp_path / "washed.zip", contents), crowd.data_root)


def _raise_ap(record: dict[str, Any]) -> None:
    record["metrics"]["AP"] += 1e-6


def _raise_keypoint(record: dict[str, Any]) -> None:
    record["diagnostics"]["keypoints"]["left_elbow"] += 0.01


def _move_keypoint(instances: list[dict[str, Any]]) -> None:
    instances[0]["keypoints"][:2] = [0.0, 0.0]


def _no_keypoints(instances: list[dict[str, Any]]) -> None:
    del instances[0]["keypoints"]


@pytest.mark.parametrize(
    ("member", "edit", "said"),
    [
        ("record.json", _raise_ap, "AP: recorded"),
        ("record.json", _raise_keypoint, "keypoints left_elbow: recorded"),
        ("record.json", lambda record: record["metrics"].update(AP51=0.5), "AP51: recorded 0.5, not part"),
        ("record.json", lambda record: record["metrics"].pop("AR"), "AR: not recorded, recomputed"),
        ("record.json", lambda record: record["metrics"].pop("PCK@0.1"), "PCK@0.1: not recorded, recomputed"),
        ("record.json", lambda record: record["metrics"].update({"PCK@0.2": 0.99}), "PCK@0.2: recorded 0.99, recomp"),
        ("predictions.json", _move_keypoint, "mean_oks: recorded"),
        ("predictions.json", _no_keypoints, "its predictions are unusable: prediction 0: lacks keypoints"),
        ("predictions.json", lambda instances: instances.clear(), "AP: recorded"),
    ],
)
def test_changes_with_right_hashes_are_found_by_recomputing(
    crowd: Bench, tmp_path: Path, member: str, edit: Callable[[Any], Any], said: str
) -> None:
    contents = members(crowd.capsule)
    name = one(contents, member)
    contents[name] = edited(contents[name], edit)
    found = verify(write(tmp_path / "changed.zip", rehash(contents)), crowd.data_root)
    wrong = [cell for cell in found.cells if cell.verdict == "differs"]
    assert [cell.record.id for cell in wrong] == [name.split("/")[1]]
    assert any(said in detail for detail in wrong[0].details), wrong[0].details
    assert sorted(verdicts(found.cells)) == ["agrees", "agrees", "differs"]


def test_records_of_versions_without_pck_agree_and_it_is_said(crowd: Bench, tmp_path: Path) -> None:
    contents = members(crowd.capsule)
    record, judged = one(contents, "record.json"), one(contents, "per_instance.npz")
    assert record.split("/")[1] == judged.split("/")[1]

    def earlier(document: dict[str, Any]) -> None:
        for name in PCK_THRESHOLDS:
            del document["metrics"][name]

    contents[record] = edited(contents[record], earlier)
    for kept, verdict in ((contents[judged], "differs"), (_without_pck(contents[judged], tmp_path), "agrees")):
        found = verify(write(tmp_path / "earlier.zip", rehash(contents | {judged: kept})), crowd.data_root)
        (cell,) = [cell for cell in found.cells if cell.record.id == record.split("/")[1]]
        assert cell.verdict == verdict
    assert cell.details == ("not recorded: PCK@0.2, PCK@0.1",)


def _without_pck(contents: bytes, folder: Path) -> bytes:
    """Per-instance results as earlier versions stored them."""
    (folder / "per_instance.npz").write_bytes(contents)
    found = load_per_instance(folder / "per_instance.npz")
    assert isinstance(found, OksPerInstance)
    assert found.pck is not None
    return save_per_instance(replace(found, pck=None))


def test_per_instance_of_other_predictions_are_found(crowd: Bench, tmp_path: Path) -> None:
    contents = members(crowd.capsule)
    first, second, *_ = sorted(name for name in contents if name.endswith("per_instance.npz"))
    for foreign in (contents[second], b"no npz", _bomb(contents[first])):
        changed = rehash(contents | {first: foreign})
        found = verify(write(tmp_path / "changed.zip", changed), crowd.data_root)
        details = [cell.details for cell in found.cells if cell.verdict == "differs"]
        assert details == [("per_instance.npz: recomputed results differ",)]


def _bomb(per_instance: bytes) -> bytes:
    """Per-instance results with one more array, small in the file and large in memory."""
    buffer = io.BytesIO(per_instance)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.npy", b"\0" * 10**7)
    return buffer.getvalue()


def _edit_member(name: str, edit: Callable[[Any], Any], *, careful: bool) -> Callable[[Members], Members]:
    def change(contents: Members) -> Members:
        member = one(contents, name)
        changed = contents | {member: edited(contents[member], edit)}
        return rehash(changed) if careful else changed

    return change


def _without(name: str, *, careful: bool) -> Callable[[Members], Members]:
    def change(contents: Members) -> Members:
        gone = one(contents, name)
        left = {member: data for member, data in contents.items() if member != gone}
        return rehash(left) if careful else left

    return change


def _with(name: str, data: bytes = b"extra", *, careful: bool) -> Callable[[Members], Members]:
    return lambda contents: rehash(contents | {name: data}) if careful else contents | {name: data}


def _renamed(contents: Members) -> Members:
    """The spec, record and predictions of an evaluation under another id."""
    id_ = one(contents, "predictions.json").split("/")[1]
    return rehash({name.replace(id_, "0" * 12): data for name, data in contents.items()})


TAMPERED: dict[str, tuple[Callable[[Members], Members], str]] = {
    "prediction": (_edit_member("predictions.json", _move_keypoint, careful=False), "was changed|another size"),
    "metric": (_edit_member("record.json", _raise_ap, careful=False), "was changed|another size"),
    "spec": (_edit_member("spec.json", lambda spec: spec.update(flip_test=False), careful=False), "another size"),
    "spec with its hash": (
        _edit_member("spec.json", lambda spec: spec.update(flip_test=False), careful=True),
        "its spec hashes to",
    ),
    "training's spec": (
        lambda contents: rehash(
            contents
            | {
                (name := min(member for member in contents if member.startswith("trainings/"))): edited(
                    contents[name], lambda spec: spec.update(seed=7)
                )
            }
        ),
        "its spec hashes to",
    ),
    "spec and record": (
        lambda contents: rehash(
            _edit_member("spec.json", lambda spec: spec.update(flip_test=False), careful=False)(
                _edit_member("record.json", lambda record: record["spec"].update(flip_test=False), careful=False)(
                    contents
                )
            )
        ),
        "its spec hashes to",
    ),
    "renamed": (_renamed, "its spec hashes to"),
    "schema": (
        _edit_member("record.json", lambda record: record.update(verified=True), careful=True),
        "Extra inputs",
    ),
    "no JSON": (lambda contents: rehash(contents | {one(contents, "record.json"): b"{"}), "not valid JSON"),
    "extra member": (_with("evaluations/000000000000/spec.json", careful=False), "is not in the manifest"),
    "foreign member": (_with("run.sh", careful=True), "is not a name of a capsule"),
    "path out": (_with("../evil.json", careful=True), "is not a name of a capsule"),
    "path out within": (_with("report/../../evil.html", careful=True), "is not a name of a capsule"),
    "absolute path": (_with("/etc/passwd", careful=True), "is not a name of a capsule"),
    "folder": (_with("report/", b"", careful=False), "is not a name of a capsule"),
    "missing member": (_without("predictions.json", careful=False), "is missing"),
    "missing spec": (_without("spec.json", careful=True), "is missing"),
    "missing manifest": (_without("manifest.json", careful=False), "manifest.json is missing"),
    "manifest": (lambda contents: contents | {"manifest.json": b"[]"}, "manifest.json"),
    "manifest of a later version": (
        _edit_member("manifest.json", lambda manifest: manifest.update(schema_version=2), careful=False),
        "schema_version",
    ),
}


@pytest.mark.parametrize("kind", TAMPERED)
def test_a_tampered_capsule_is_refused(crowd: Bench, tmp_path: Path, kind: str) -> None:
    change, message = TAMPERED[kind]
    with pytest.raises(CapsuleError, match=message):
        verify(write(tmp_path / "tampered.zip", change(members(crowd.capsule))), crowd.data_root)


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.99])
def test_a_truncated_capsule_is_refused(crowd: Bench, tmp_path: Path, kept: float) -> None:
    data = crowd.capsule.read_bytes()
    (tmp_path / "short.zip").write_bytes(data[: int(kept if kept > 1 else kept * len(data))])
    with pytest.raises(CapsuleError, match="not a readable capsule"):
        verify(tmp_path / "short.zip", crowd.data_root)


def test_a_flipped_byte_is_found_wherever_it_is(crowd: Bench, tmp_path: Path) -> None:
    """In contents it breaks a checksum; in the archive's own notes it may change nothing, but never a number."""
    data = crowd.capsule.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(data), 60).tolist():
        (tmp_path / "flipped.zip").write_bytes(data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :])
        try:
            found = verify(tmp_path / "flipped.zip", crowd.data_root)
        except CapsuleError:
            continue
        assert verdicts(found.cells) == ["agrees"] * 3


def test_odd_members_are_refused(crowd: Bench, tmp_path: Path) -> None:
    contents = members(crowd.capsule)
    name = one(contents, "predictions.json")
    for kind, message in (("twice", "is there 2 times"), ("link", "not a plain file")):
        with zipfile.ZipFile(tmp_path / f"{kind}.zip", "w") as archive:
            for member, data in contents.items():
                info = zipfile.ZipInfo(member)
                if kind == "link" and member == name:
                    info.external_attr = 0o120777 << 16
                archive.writestr(info, data)
            if kind == "twice":
                with pytest.warns(UserWarning, match="Duplicate"):
                    archive.writestr(name, contents[name])
        with pytest.raises(CapsuleError, match=message):
            verify(tmp_path / f"{kind}.zip", crowd.data_root)


def test_a_member_larger_than_it_says_is_refused(crowd: Bench, tmp_path: Path) -> None:
    """A bomb says in its header and in the manifest that it is small: reading stops where it says."""
    contents = members(crowd.capsule)
    name = one(contents, "predictions.json")
    small, large = b"[]", b"[" + b" " * 10**6 + b"]"
    manifest = json.loads(rehash(contents | {name: small})["manifest.json"])
    contents |= {name: large, "manifest.json": json.dumps(manifest).encode()}
    file = write(tmp_path / "bomb.zip", contents)
    data = bytearray(file.read_bytes())
    sizes = len(large).to_bytes(4, "little") * 2
    start = 0
    while (start := data.find(sizes, start)) >= 0:
        data[start + 4 : start + 8] = len(small).to_bytes(4, "little")
    file.write_bytes(bytes(data))
    with pytest.raises(CapsuleError):
        verify(file, crowd.data_root)


@pytest.mark.parametrize("split", ["../../secret", "val9999999", "val" + "9" * 5000])
def test_a_hostile_split_reads_and_draws_nothing(crowd: Bench, tmp_path: Path, split: str) -> None:
    """A foreign record may name any split; the name is not used as a path, and a million instances are not drawn."""
    text = CROWDPOSE.replace("crowdpose, train: trainval, eval: test", f"synthetic, train: train8, eval: '{split}'")
    (tmp_path / "suite.yaml").write_text(text)
    store = Store(tmp_path / "results")
    plan = make_plan(load_suite(tmp_path / "suite.yaml"), store)
    simulate([plan], store, Chance(0, 0.2), "")
    for file in store.root.rglob("*.json"):
        if file.name in {"record.json", "training.json"}:
            write_json(file, json.loads(file.read_text()) | {"simulated": False})
    for training in plan.trainings:
        for item in training.evaluations:
            write_json(store.evaluation(item.spec.id).predictions, [])
    pack(plan, store, tmp_path / "hostile.zip", report=False)
    found = verify(tmp_path / "hostile.zip", tmp_path / "data")
    assert set(verdicts(found.cells)) == {"not recomputed"}
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("suite.yaml", True),
        ("report/tables/coco_val.csv", True),
        ("evaluations/0123456789ab/per_instance.npz", True),
        ("report/.hidden", False),
        ("report//x", False),
        ("report/a\\..\\b", False),
        ("C:/suite.yaml", False),
        ("suite.yaml\n", False),
        ("evaluations/../suite.yaml", False),
    ],
)
def test_names_of_members(name: str, allowed: bool) -> None:
    assert is_member(name) == allowed


def test_verifying_imports_no_torch(crowd: Bench) -> None:
    code = (
        "import sys; from pathlib import Path; from bench.capsule.verification import verify\n"
        f"found = verify(Path({str(crowd.capsule)!r}), Path({str(crowd.data_root)!r}))\n"
        "print([cell.verdict for cell in found.cells], 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "['agrees', 'agrees', 'agrees'] False\n"
