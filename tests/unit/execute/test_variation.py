"""Variants from stored outputs: equal to evaluations that ran the network, and refused where they could not be."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bench.capsule.export import pack
from bench.capsule.unpacking import unpack
from bench.capsule.verification import verify
from bench.execute.evaluation_job import make_evaluation
from bench.execute.heartbeat import Heartbeat
from bench.execute.job import Job, Resources
from bench.execute.training_job import make_training
from bench.execute.variation import Variation, vary
from bench.planning.plan import make_plan
from bench.pose.errors import BenchError
from bench.store.documents import Record
from bench.store.folders import EvaluationFolder, Store
from bench.suite.expansion import expand
from bench.suite.schema import load_suite
from bench.suite.specs import EvalSpec
from tests.unit.execute.test_evaluation_job import KEYPOINTS, SUITE
from tests.unit.tiny_datasets import coco_format

TWO_NETWORKS = (
    SUITE.replace("[simdr]", "[heatmap, simdr]")
    .replace("selection: best, selection_split: val", "selection: final, learning_rate: 0.003")
    .replace(
        "evaluate: [{boxes: gt}]",
        """evaluate:
  - {boxes: gt, when: {representation: simdr}}
  - {boxes: gt, flip_test: false, when: {representation: heatmap}}""",
    )
)
PX = 0.05
"""By how much float16 moves a keypoint at most, in px of images of 64 px, where it does not choose another cell."""


@dataclass
class Desk:
    """A folder with trained networks, of which the evaluations kept their outputs."""

    folder: Path
    jobs: dict[str, Job]

    @property
    def store(self) -> Store:
        return Store(self.folder / "results")

    def evaluation(self, name: str) -> EvaluationFolder:
        return self.store.evaluation(self.jobs[name].evaluations[0].id)

    def vary(self, name: str) -> Variation:
        return vary(self.jobs[name], self.jobs[name].evaluations[0], self.store, self.said.append)

    def __post_init__(self) -> None:
        self.said: list[str] = []


def run(job: Job, spec: EvalSpec, store: Store) -> Record:
    """An evaluation by the network."""
    store.evaluation(spec.id).save_spec(spec)
    record = make_evaluation(job, spec, store, Heartbeat(store.training(job.id)))
    assert record is not None
    return record


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("variation")
    coco_format(folder / "own", KEYPOINTS)
    (folder / "own.yaml").write_text(TWO_NETWORKS)
    resources = Resources(
        data_root=folder, results=folder / "results", device="cpu", threads=1, workers=0, save_every=60,
        store_outputs=True,
    )  # fmt: skip
    jobs = {
        cell.training.representation: Job(
            training=cell.training, evaluations=cell.evaluations, resources=resources, command="none"
        )
        for cell in expand(load_suite(folder / "own.yaml")).cells
    }
    desk = Desk(folder, jobs)
    for job in jobs.values():
        folder_ = desk.store.training(job.id)
        folder_.save_spec(job.training)
        make_training(job, folder_, Heartbeat(folder_))
        run(job, job.evaluations[0], desk.store)
    return desk


@pytest.fixture
def desk(trained: Desk) -> Iterator[Desk]:
    """The desk; what a test does to an evaluation's folder is undone."""
    kept = {
        file: file.read_bytes()
        for name in trained.jobs
        for file in trained.evaluation(name).path.glob("*.*")
        if file.is_file()
    }
    annotations = trained.folder / "own/annotations/person_keypoints_val.json"
    kept[annotations] = annotations.read_bytes()
    yield trained
    for file, contents in kept.items():
        file.write_bytes(contents)


def keypoints(folder: EvaluationFolder) -> np.ndarray:
    """(instances, keypoints, 3) as stored."""
    results = json.loads(folder.predictions.read_text())
    found = sorted(results, key=lambda one: (one["image_id"], one["center"]))
    return np.array([one["keypoints"] for one in found]).reshape(len(found), -1, 3)


@pytest.mark.parametrize("name", ["heatmap", "simdr"])
def test_variants_are_the_evaluations_that_run_the_network(
    name: str, desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = desk.vary(name)
    job = desk.jobs[name]
    assert len(found.variants) >= 12
    assert len({record.id for _, record in found.variants}) == len(found.variants)
    assert found.decoded == pytest.approx(found.base.metrics["AP"], abs=0.02)
    again = Store(tmp_path)
    (tmp_path / "trainings").symlink_to(desk.store.trainings)
    plain = job.model_copy(update={"resources": job.resources.model_copy(update={"store_outputs": False})})
    base = keypoints(desk.evaluation(name))
    for variant, record in found.variants:
        if variant.setting == "flip_test":
            assert not np.array_equal(keypoints(desk.store.evaluation(record.id)), base)
        if variant.value == "box_areas":
            assert record.metrics["mean_oks"] != found.base.metrics["mean_oks"]
    changed = [one for one in found.variants if one[0].setting in {"flip_test", "flip_shift", "post_process"}]
    scored = [one for one in found.variants if one[0].setting in {"nms_threshold", "evaluator", "instance_score"}]
    for variant, record in [*changed[:3], *scored[:4]]:
        network = run(plain, variant.spec, again)
        assert (record.spec, record.training, record.outputs_of) == (network.spec, network.training, found.base.id)
        difference = np.abs(keypoints(desk.store.evaluation(record.id)) - keypoints(again.evaluation(network.id)))
        moved = np.median(difference[..., :2])
        with capsys.disabled():
            print(f"\n{name} {variant.setting}={variant.words}: median {moved:.4f} px", end="")
        assert moved < PX
        assert np.median(difference[..., 2]) < 1e-3
        for metric in ("AP", "mean_oks"):
            assert record.metrics[metric] == pytest.approx(network.metrics[metric], abs=0.03)


def test_outputs_are_kept_without_changing_the_evaluation(desk: Desk, tmp_path: Path) -> None:
    """A network that sees one view is shown the other one apart from it."""
    (tmp_path / "trainings").symlink_to(desk.store.trainings)
    for name, job in desk.jobs.items():
        plain = job.model_copy(update={"resources": job.resources.model_copy(update={"store_outputs": False})})
        record = run(plain, job.evaluations[0], Store(tmp_path))
        kept = desk.evaluation(name)
        assert kept.predictions.read_bytes() == Store(tmp_path).evaluation(record.id).predictions.read_bytes()
        assert not Store(tmp_path).evaluation(record.id).outputs.exists()
        document = kept.stored_outputs()
        assert document is not None
        assert (document.instances, document.bytes) == (record.instances, kept.outputs.stat().st_size)


def test_what_is_measured_is_not_measured_again(desk: Desk) -> None:
    desk.vary("simdr")
    again = desk.vary("simdr")
    assert again.made == 0
    listed = desk.evaluation("simdr").variants().variants
    assert [one.evaluation for one in listed] == [record.id for _, record in again.variants]


def test_without_stored_outputs_the_network_runs_once(desk: Desk) -> None:
    desk.evaluation("simdr").outputs.unlink()
    desk.said.clear()
    desk.vary("simdr")
    assert desk.said == [
        f"{desk.evaluation('simdr').path.name}: no stored outputs; running the network once on 6 instances"
    ]
    assert desk.evaluation("simdr").outputs.exists()


def test_a_changed_file_of_outputs_is_refused(desk: Desk) -> None:
    file = desk.evaluation("simdr").outputs
    contents = bytearray(file.read_bytes())
    contents[len(contents) // 2] ^= 1
    file.write_bytes(contents)
    with pytest.raises(
        BenchError, match=r"outputs.zip: not the file that was stored .*; remove it, and it is made again"
    ):
        desk.vary("simdr")


def test_outputs_of_other_weights_are_refused(desk: Desk) -> None:
    file = desk.evaluation("simdr").outputs_file
    file.write_text(file.read_text().replace(json.loads(file.read_text())["weights_sha256"], "0" * 64))
    with pytest.raises(BenchError, match="of other weights than"):
        desk.vary("simdr")


def test_a_made_up_record_is_refused(desk: Desk) -> None:
    file = desk.evaluation("simdr").record_file
    file.write_text(file.read_text().replace('"simulated": false', '"simulated": true'))
    with pytest.raises(BenchError, match="made up by `bench simulate`"):
        desk.vary("simdr")


def test_other_annotations_are_refused(desk: Desk) -> None:
    annotations = desk.folder / "own/annotations/person_keypoints_val.json"
    annotations.write_text(annotations.read_text() + " ")
    with pytest.raises(BenchError, match=r"person_keypoints_val.json is not the file that \w+ was measured on"):
        desk.vary("heatmap")


def test_a_capsule_has_variants_and_what_they_share_once(desk: Desk, tmp_path: Path) -> None:
    """Another evaluator or suppression that makes no difference takes no room; its report has its intervals anyway."""
    found = desk.vary("simdr")
    file = tmp_path / "a.zip"
    pack(make_plan(load_suite(desk.folder / "own.yaml"), desk.store), desk.store, file, report=False)
    with unpack(file) as unpacked, zipfile.ZipFile(file) as archive:
        absent = 0
        for _, record in found.variants:
            own = desk.store.evaluation(record.id).per_instance
            assert unpacked.store.evaluation(record.id).per_instance.read_bytes() == own.read_bytes()
            absent += f"evaluations/{record.id}/per_instance.npz" not in archive.namelist()
    assert 3 <= absent < len(found.variants)
    cells = verify(file, desk.folder).cells
    assert {record.id for _, record in found.variants} <= {cell.record.id for cell in cells}
    assert {cell.verdict for cell in cells} == {"agrees"}


def test_the_error_budget_ends_where_nothing_is_wrong(desk: Desk) -> None:
    desk.vary("heatmap")
    budget = desk.evaluation("heatmap").error_budget()
    assert budget is not None
    steps = budget.steps
    assert [*steps] == ["measured", "no quantization", "no misses", "no swaps", "no inversions", "no jitter",
                        "perfect scores"]  # fmt: skip
    record = desk.evaluation("heatmap").record()
    assert record is not None
    assert steps["measured"] == pytest.approx(record.metrics["AP"])
