"""What a capsule says of itself to tools of others: RO-Crate, Croissant, and a model-index for Hugging Face."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

from bench.capsule.export import pack
from bench.capsule.manifest import CapsuleError
from bench.capsule.verification import verify
from bench.planning.plan import make_plan
from bench.pose.skeletons import CROWDPOSE_14
from bench.simulation.simulated_records import simulate
from bench.simulation.simulated_scores import Chance
from bench.store.folders import Store
from tests.reports import Bench as Filled
from tests.unit import tiny_datasets
from tests.unit.capsule.test_capsule import CROWDPOSE, MPII, Bench, edited, finish, members, one, rehash, write

CRATE, CROISSANT, MODELS = "ro-crate-metadata.json", "croissant.json", "model-index.yaml"

OWN = """\
name: own
title: Own
dataset:
  name: hall
  train: train
  eval: test
  define:
    title: A hall
    annotations: labels/SPLIT.json
    detector_boxes: {test: boxes.json}
    skeleton: {keypoints: [head, tail], sigmas: [0.1, 0.1]}
train:
  axes: {backbone: [simba_tiny], representation: [simdr], input_size: [64x64]}
  set: [{initialization: kaiming}]
evaluate: [{boxes: [gt, detector]}]
tables: [{id: own, metrics: [AP]}]
"""


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return finish(tmp_path_factory.mktemp("crowd"), CROWDPOSE, tiny_datasets.crowdpose)


def document(capsule: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(members(capsule)[name])
    return found


def entities(capsule: Path) -> dict[str, dict[str, Any]]:
    graph = document(capsule, CRATE)["@graph"]
    found = {entity["@id"]: entity for entity in graph}
    assert len(found) == len(graph), "an entity is there twice"
    return found


# ---- RO-Crate


def test_the_crate_describes_every_file(crowd: Bench) -> None:
    found, manifest = entities(crowd.capsule), document(crowd.capsule, "manifest.json")["members"]
    files = {unquote(id_): entity for id_, entity in found.items() if entity["@type"] == "File"}
    assert files.keys() == members(crowd.capsule).keys() - {CRATE}
    assert {part["@id"] for part in found["./"]["hasPart"]} == {entity["@id"] for entity in files.values()}
    for name, member in manifest.items():
        if name != CRATE:
            assert (files[name]["sha256"], files[name]["contentSize"]) == (member["sha256"], str(member["size"]))
        assert name == CRATE or files[name]["description"]
    assert found[CRATE]["about"] == {"@id": "./"}


def test_the_crate_says_which_command_and_software_made_what(crowd: Bench) -> None:
    found = entities(crowd.capsule)
    actions = [entity for entity in found.values() if entity["@type"] == "CreateAction"]
    assert len(actions) == 2 + 3
    assert [action["@id"] for action in actions] == [part["@id"] for part in found["./"]["mentions"]]
    for action in actions:
        assert action["description"] == "bench run"
        assert found[action["instrument"]["@id"]]["@type"] == "SoftwareApplication"
        assert {found[file["@id"]]["@type"] for file in action["result"]} == {"File"}
        assert all(item["@id"] in found for item in action["object"])
    assert found["#dataset-crowdpose"]["name"] == "CrowdPose"


def test_what_nobody_said_is_absent(crowd: Bench) -> None:
    found = entities(crowd.capsule)
    assert not {"author", "creator", "license", "publisher"} & found["./"].keys()
    assert not {"license", "conditionsOfAccess"} & found["#dataset-crowdpose"].keys()
    assert "license" not in document(crowd.capsule, CROISSANT)


def test_versions_of_records_are_software(crowd: Bench, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    shutil.copytree(crowd.store.root, store.root)
    for number, file in enumerate(sorted(store.root.glob("evaluations/*/record.json"))):
        versions = {"torch": f"2.1{number}+cpu", "timm": "not installed"}
        origin = {"commit": "c0ffee", "dirty": False, "versions": versions}
        file.write_bytes(edited(file.read_bytes(), lambda record, origin=origin: record["provenance"].update(origin)))
    pack(make_plan(crowd.plan.suite, store), store, tmp_path / "c.zip", report=False)
    found = [item for item in entities(tmp_path / "c.zip").values() if item["@type"] == "SoftwareApplication"]
    named = sorted((item["name"], item["softwareVersion"]) for item in found)
    assert named == [
        *[("bench", "commit c0ffee")] * 3,
        ("bench", "outside a checkout"),
        *[("torch", f"2.1{number}+cpu") for number in range(3)],
    ]


# ---- Croissant


def test_croissant_names_the_files_that_were_read_and_no_others(crowd: Bench) -> None:
    found = document(crowd.capsule, CROISSANT)
    (file,) = found["distribution"]
    record = json.loads(members(crowd.capsule)[one(members(crowd.capsule), "record.json")])
    assert file["contentUrl"] == file["@id"] == "annotations/crowdpose_test.json"
    assert file["sha256"] == record["provenance"]["files"]["crowdpose_test.json"]
    keypoints, instances = found["recordSet"]
    assert [item["keypoints/name"] for item in keypoints["data"]] == list(CROWDPOSE_14.keypoints)
    assert instances["name"] == "instances-test"
    assert {field["source"]["fileObject"]["@id"] for field in instances["field"]} == {file["@id"]}
    text = members(crowd.capsule)[CROISSANT].decode()
    assert str(crowd.data_root) not in text
    assert ".jpg" not in text
    assert ".png" not in text


def test_mpii_has_its_own_fields_and_a_file_of_truth(tmp_path: Path) -> None:
    found = document(finish(tmp_path, MPII, tiny_datasets.mpii).capsule, CROISSANT)
    assert [file["@id"] for file in found["distribution"]] == ["annot/valid.json", "annot/gt_valid.mat"]
    assert [field["name"] for field in found["recordSet"][1]["field"]] == ["image", "center", "scale", "joints"]


def own(folder: Path) -> Path:
    """A capsule of a suite that defines its dataset."""
    folder.mkdir()
    made = Filled(folder)
    plan = made.fill(OWN, lambda *_: {"AP": 0.5})
    origin = {"files": {"test.json": "ab" * 32, "boxes.json": "cd" * 32, "weights.pth": "ef" * 32}}
    for training in plan.trainings:
        made.store.training(training.spec.id).save_spec(training.spec)
        for item in training.evaluations:
            place = made.store.evaluation(item.spec.id)
            place.save_spec(item.spec)
            changed = edited(place.record_file.read_bytes(), lambda record: record["provenance"].update(origin))
            place.record_file.write_bytes(changed)
    pack(plan, made.store, made.folder / "own.zip", report=False)
    return made.folder / "own.zip"


def test_a_defined_dataset_is_described_by_its_own_layout(tmp_path: Path) -> None:
    found = document(own(tmp_path / "own"), CROISSANT)
    assert (found["name"], found["description"][:30]) == ("hall", "A hall: instances with 2 keypo")
    assert not {"url", "license"} & found.keys()
    assert {file["@id"]: file["sha256"][:4] for file in found["distribution"]} == {
        "boxes.json": "cdcd", "labels/test.json": "abab",
    }  # fmt: skip
    assert [record_set["@id"] for record_set in found["recordSet"]] == ["keypoints", "instances-test"]


# ---- model-index


def test_each_training_has_the_metrics_of_its_evaluations(crowd: Bench) -> None:
    found = document(crowd.capsule, MODELS)["model-index"]
    assert [len(model["results"]) for model in found] == [2, 1]
    assert found[0]["name"].startswith("SimBa-tiny, heatmap, 64x64, seed 0 (")
    records = {json.loads(data)["id"]: json.loads(data) for name, data in members(crowd.capsule).items()
               if name.endswith("record.json")}  # fmt: skip
    for result in (result for model in found for result in model["results"]):
        record = records[result["dataset"]["args"]["evaluation"]]
        assert {metric["type"]: metric["value"] for metric in result["metrics"]} == record["metrics"]
        assert result["dataset"]["split"] == "test"
        assert result["task"]["type"] == "keypoint-detection"
    assert "&" not in members(crowd.capsule)[MODELS].decode()


def test_made_up_results_have_no_model_index_and_are_marked(crowd: Bench, tmp_path: Path) -> None:
    store = Store(tmp_path / "simulated")
    simulate([crowd.plan], store, Chance(0, 0.2), "bench simulate")
    pack(make_plan(crowd.plan.suite, store), store, tmp_path / "c.zip", report=False)
    assert not {MODELS, CROISSANT} & members(tmp_path / "c.zip").keys()
    assert entities(tmp_path / "c.zip")["./"]["name"].startswith("SIMULATED, nothing was measured: ")


# ---- verify


def test_capsules_of_earlier_versions_agree(crowd: Bench, tmp_path: Path) -> None:
    contents = members(crowd.capsule)
    for name in (CRATE, CROISSANT, MODELS):
        del contents[name]
    found = verify(write(tmp_path / "old.zip", rehash(contents)), crowd.data_root)
    assert {cell.verdict for cell in found.cells} == {"agrees"}


@pytest.mark.parametrize("name", [CRATE, CROISSANT, MODELS])
def test_a_changed_description_is_refused(crowd: Bench, tmp_path: Path, name: str) -> None:
    contents = members(crowd.capsule)
    contents[name] = contents[name].replace(b"e", b"o", 1)
    with pytest.raises(CapsuleError, match=f"{name} was changed"):
        verify(write(tmp_path / "changed.zip", contents), crowd.data_root)


def change_models(contents: dict[str, bytes], change: Callable[[Any], object]) -> dict[str, bytes]:
    index = yaml.safe_load(contents[MODELS])
    change(index["model-index"])
    return rehash(contents | {MODELS: yaml.safe_dump(index).encode()})


@pytest.mark.parametrize("kept", ["predictions", "nothing"])
def test_numbers_that_the_records_do_not_bear_out_differ(crowd: Bench, tmp_path: Path, kept: str) -> None:
    contents = members(crowd.capsule)
    if kept == "nothing":
        contents = {name: data for name, data in contents.items() if not name.endswith("predictions.json")}
    metrics = yaml.safe_load(contents[MODELS])["model-index"][1]["results"][0]["metrics"]
    assert metrics[0]["type"] == "AP"

    def better(models: Any) -> None:
        result = models[1]["results"][0]
        result["metrics"][0]["value"] = 0.99
        result["metrics"].append({"type": "AP99", "name": "AP99", "value": 1})

    found = verify(write(tmp_path / "c.zip", change_models(contents, better)), crowd.data_root)
    (wrong,) = [cell for cell in found.cells if cell.verdict == "differs"]
    assert wrong.details == (
        f"{MODELS} AP: stated 0.99, found {metrics[0]['value']:.9g}",
        f"{MODELS} AP99: stated 1, found not measured",
    )


def test_scores_of_a_server_are_those_that_were_entered(crowd: Bench, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    shutil.copytree(crowd.store.root, store.root)
    folder = store.evaluation(crowd.plan.trainings[0].evaluations[0].spec.id)
    changes = {"scored_by": "server", "metrics": {}}
    folder.record_file.write_bytes(edited(folder.record_file.read_bytes(), lambda record: record.update(changes)))
    folder.server_file.write_text(json.dumps({"metrics": {"AP": 0.7}, "source": "a page", "predictions_sha256": ""}))
    pack(make_plan(crowd.plan.suite, store), store, tmp_path / "c.zip", report=False)
    assert document(tmp_path / "c.zip", MODELS)["model-index"][0]["results"][0]["metrics"][0]["value"] == 0.7

    def verdict(capsule: Path) -> tuple[str, tuple[str, ...]]:
        (cell,) = [cell for cell in verify(capsule, crowd.data_root).cells if cell.record.id == folder.path.name]
        return cell.verdict, cell.details

    assert verdict(tmp_path / "c.zip") == ("not recomputed", ("only the dataset's server can score test",))

    def better(models: Any) -> None:
        models[0]["results"][0]["metrics"][0]["value"] = 0.8

    changed = write(tmp_path / "d.zip", change_models(members(tmp_path / "c.zip"), better))
    assert verdict(changed) == ("differs", (f"{MODELS} AP: stated 0.8, found 0.7",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "is not a model-index of bench"),
        (b"model-index: 3", "is not a model-index of bench"),
        (b"model-index: [{results: [{metrics: [{type: AP}], dataset: {args: {evaluation: x}}}]}]", "'value'"),
        (b"model-index: [{results: [{metrics: [{type: AP, value: %s}]}]}]" % (b"9" * 400), "is not a model-index"),
        (b"model-index: [{results: &a [1]}, {results: *a}]", "it has references"),
        (b"[" * 5000, "is not a model-index of bench"),
        (b"model-index: \x00", "is not a model-index of bench"),
        (b"!!python/object/apply:os.system [ls]", "is not a model-index of bench"),
        (b"a: " + b"b" * 5_000_000, "has more than 4194304 bytes"),
        (
            b"model-index: [{results: [{metrics: [], dataset: {args: {evaluation: cafe}}}]}]",
            "of cafe, which is not here",
        ),
    ],
)
def test_a_broken_model_index_is_refused(crowd: Bench, tmp_path: Path, text: bytes, said: str) -> None:
    contents = rehash(members(crowd.capsule) | {MODELS: text})
    with pytest.raises(CapsuleError, match=said):
        verify(write(tmp_path / "c.zip", contents), crowd.data_root)


# ---- Tools of others


@pytest.mark.integrations
def test_rocrate_reads_the_capsule(crowd: Bench) -> None:
    from rocrate.rocrate import ROCrate

    crate = ROCrate(crowd.capsule)
    assert crate.name == "Crowd"
    assert {entity.id for entity in crate.data_entities} == members(crowd.capsule).keys() - {CRATE}
    kinds = [entity.type for entity in crate.contextual_entities]
    assert kinds.count("CreateAction") == 5
    assert "SoftwareApplication" in kinds
    assert crate.root_dataset.get("author") is None


def croissant(capsule: Path) -> Any:
    from mlcroissant import Dataset

    dataset = Dataset(jsonld=document(capsule, CROISSANT))
    assert not dataset.metadata.ctx.issues.errors
    return dataset


@pytest.mark.integrations
def test_mlcroissant_reads_the_instances(crowd: Bench) -> None:
    from mlcroissant import Dataset

    file = crowd.data_root / "crowdpose" / "croissant.json"
    file.write_bytes(members(crowd.capsule)[CROISSANT])
    instances = json.loads((file.parent / "annotations/crowdpose_test.json").read_text())["annotations"]
    found = list(Dataset(jsonld=str(file)).records("instances-test"))
    assert [item["instances-test/image_id"] for item in found] == [item["image_id"] for item in instances]
    assert [list(item["instances-test/keypoints"]) for item in found] == [item["keypoints"] for item in instances]
    names = [item["keypoints/name"] for item in Dataset(jsonld=str(file)).records("keypoints")]
    assert names == list(CROWDPOSE_14.keypoints)


@pytest.mark.integrations
def test_mlcroissant_accepts_mpii_and_defined_datasets(tmp_path: Path) -> None:
    (tmp_path / "mpii").mkdir()
    assert croissant(finish(tmp_path / "mpii", MPII, tiny_datasets.mpii).capsule).metadata.name == "mpii"

    found = croissant(own(tmp_path / "own"))
    assert found.metadata.name == "hall"
    assert [file.content_url for file in found.metadata.distribution] == ["labels/test.json", "boxes.json"]


@pytest.mark.integrations
def test_hugging_face_reads_the_front_matter(crowd: Bench) -> None:
    from huggingface_hub import ModelCard

    index = members(crowd.capsule)[MODELS].decode()
    found = ModelCard(f"---\n{index}---\n# A model\n").data.eval_results
    models = document(crowd.capsule, MODELS)["model-index"]
    assert len(found) == sum(len(result["metrics"]) for model in models for result in model["results"])
    assert {result.task_type for result in found} == {"keypoint-detection"}
