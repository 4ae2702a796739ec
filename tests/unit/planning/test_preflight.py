"""`bench run` and `bench retry` look before they start anything."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.planning import preflight
from bench.planning.plan import Plan, make_plan
from bench.planning.preflight import Lack, find_lacks
from bench.planning.status import Status
from bench.pose.models.weights import IMAGENET_FILES
from bench.store.folders import Store
from bench.suite.overrides import override
from bench.suite.schema import load_suite
from tests.unit.suites import changed, load
from tests.unit.tiny_datasets import coco_test_dev, crowdpose, mpii

ROOT = Path(__file__).parents[3]
GET_COCO = "bench data prepare coco train2017 val2017 --data-root {root}"
BOXES = "person_detection_results/COCO_val2017_detections_AP_H_56_person.json"


def plan_of(folder: Path, *changes: tuple[str, str]) -> Plan:
    return make_plan(load(folder, *changes), Store(folder / "results"))


def lacks(plan: Plan, folder: Path, device: str = "cpu") -> list[Lack]:
    return find_lacks(plan, plan.trainings, data_root=folder / "data", results=folder / "results", device=device)


def add_coco(root: Path, split: str, *, image: bool = True) -> None:
    file = root / "coco" / "annotations" / f"person_keypoints_{split}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{}")
    (root / "coco" / "images" / split).mkdir(parents=True)
    if image:
        (root / "coco" / "images" / split / "1.jpg").touch()


def add_imagenet(root: Path, backbone: str = "simba_res50") -> None:
    file = root / "imagenet" / IMAGENET_FILES[backbone].names[0]
    file.parent.mkdir(parents=True)
    file.touch()


def test_what_is_missing_is_said_once_and_goes_away_one_by_one(tmp_path: Path) -> None:
    root, plan = tmp_path / "data", plan_of(tmp_path)
    weights = root / "imagenet" / "resnet50-19c8e357.pth"
    get = f"bench data prepare imagenet simba_res50 --data-root {root}"
    found = lacks(plan, tmp_path)
    assert [lack.what.removeprefix(f"{root}/") for lack in found] == [
        "coco/annotations/person_keypoints_train2017.json is missing",
        "coco/annotations/person_keypoints_val2017.json is missing",
        f"no images of split 'train2017': neither {root}/coco/images/train2017 nor {root}/coco/train2017 is a folder",
        f"no images of split 'val2017': neither {root}/coco/images/val2017 nor {root}/coco/val2017 is a folder",
        "imagenet/resnet50-19c8e357.pth is missing",
    ]
    assert {lack.fix for lack in found} == {GET_COCO.format(root=root), get}

    add_coco(root, "train2017")
    add_coco(root, "val2017", image=False)
    (root / "coco" / "images" / "val2017" / ".DS_Store").touch()
    assert lacks(plan, tmp_path) == [
        Lack(f"{root}/coco/images/val2017 has no images of split 'val2017'", GET_COCO.format(root=root)),
        Lack(f"{weights} is missing", get),
    ]
    (root / "coco" / "images" / "val2017" / "1.jpg").touch()
    add_imagenet(root)
    assert lacks(plan, tmp_path) == []
    detected = plan_of(tmp_path, ("  - {boxes: gt, when: {representation: simdr}}", "  - {boxes: detector}"))
    assert [lack.what for lack in lacks(detected, tmp_path)] == [f"{root}/coco/{BOXES} is missing"]


def test_what_is_done_needs_nothing(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ("boxes: gt, when: {representation: heatmap}", "boxes: detector"))
    trained = [replace(training, status=Status("done")) for training in plan.trainings]
    found = find_lacks(plan, trained, data_root=tmp_path, results=tmp_path, device=None)
    assert any(BOXES in lack.what for lack in found)
    assert not any("imagenet" in lack.what for lack in found), "nothing is left to train"
    done = [
        replace(training, evaluations=tuple(replace(item, status=Status("done")) for item in training.evaluations))
        for training in trained
    ]
    assert find_lacks(plan, done, data_root=tmp_path, results=tmp_path, device="cuda:9") == []


@pytest.mark.parametrize(
    ("make", "dataset", "file"),
    [
        (mpii, "{name: mpii, train: train, eval: valid}", "annot/gt_valid.mat"),
        (crowdpose, "{name: crowdpose, train: trainval, eval: test}", "annotations/crowdpose_test.json"),
        (
            coco_test_dev,
            "{name: coco, train: train2017, eval: test-dev2017}",
            "annotations/image_info_test-dev2017.json",
        ),
    ],
)
def test_datasets_of_each_protocol(make: object, dataset: str, file: str, tmp_path: Path) -> None:
    name = dataset.partition("name: ")[2].partition(",")[0]
    text = changed(
        ("{name: coco, train: train2017, eval: val2017}", dataset), ("epochs: 5", "epochs: 5, initialization: kaiming")
    )
    if "test-dev" in dataset:
        text = text.replace("epochs: 5,", "epochs: 5, selection: final,")
    (tmp_path / "suite.yaml").write_text(
        text.replace("  - {id: results, compare: published/coco_val}", "  - {id: results}")
    )
    plan = make_plan(load_suite(tmp_path / "suite.yaml"), Store(tmp_path / "results"))
    folder = make(tmp_path / "data" / name)  # type: ignore[operator]
    assert lacks(plan, tmp_path) == []
    (folder / file).unlink()
    assert [lack.what for lack in lacks(plan, tmp_path)] == [f"{folder / file} is missing"]


def test_given_weights_room_and_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "data"
    add_coco(root, "train2017")
    add_coco(root, "val2017")
    plan = plan_of(
        tmp_path,
        ("title: An example", f"title: An example\nweights: {{start.pt: {'a' * 64}}}"),
        ("epochs: 5", "epochs: 5, initialization: checkpoint, weights: start.pt"),
    )
    assert [lack.what for lack in lacks(plan, tmp_path)] == [f"{root / 'start.pt'} is missing"]
    (tmp_path / "start.pt").touch()
    assert lacks(plan, tmp_path) == [], "beside the suite"

    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9) if folder == tmp_path else None)
    (found,) = lacks(plan, tmp_path)
    assert found.what == f"{tmp_path / 'results'}: 1,000 MB are free, and at least 1,364 MB are needed"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**10))

    monkeypatch.setattr(preflight, "OTHER_GPUS", ())
    monkeypatch.setattr(preflight, "devices", lambda _: ["cuda:0"])
    assert [lack.what for lack in lacks(plan, tmp_path, "cuda:1")] == ["this machine has no cuda:1; its GPUs: cuda:0"]
    monkeypatch.setattr(preflight, "devices", lambda _: ["cpu"])
    assert [lack.what for lack in lacks(plan, tmp_path, "cuda")] == ["this machine has no cuda; its GPUs: none"]
    for device in ("cpu", "auto", None):
        assert lacks(plan, tmp_path, device) == []


def test_splits_that_cannot_be_drawn_are_said_before(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text((ROOT / "suites" / "quickstart.yaml").read_text())
    suite = load_suite(tmp_path / "suite.yaml")
    for items, said in (([], []), (["train=train"], ["synthetic split 'train': expected a name and a number of"])):
        plan = make_plan(override(suite, items), Store(tmp_path / "results"))
        assert [lack.what[:50] for lack in lacks(plan, tmp_path)] == [text[:50] for text in said]


@pytest.mark.parametrize("command", [["run", "low_res"], ["retry", "low_res", "--state", "missing"]])
def test_one_message_before_anything_starts(command: list[str], tmp_path: Path) -> None:
    code = (
        "import sys; from bench.cli import main\ntry: main()\nfinally: print('torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (3, "")
    *lines, torch_loaded = done.stderr.splitlines()
    assert lines[0] == "error: 20 trainings cannot start, and nothing was started or stored:"
    assert len(lines) == len(set(lines)) == 14
    assert torch_loaded == "False"
    assert not list(tmp_path.iterdir())


def test_a_dry_run_and_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "profile.yaml").write_text("{time: 60, partition: gpu, device: cuda, gpus_per_node: 1}")
    missing = "data/coco/annotations/person_keypoints_train2017.json is missing"
    for options in ([], ["--executor", "slurm", "--profile", "profile.yaml"]):
        dry = CliRunner().invoke(app, ["run", "low_res", "--dry-run", *options])
        assert dry.exit_code == 0, dry.output
        assert dry.stdout.count(missing) == 1
        with pytest.raises(preflight.NotReadyError, match=missing):
            CliRunner().invoke(app, ["run", "low_res", *options], catch_exceptions=False)
    assert [file.name for file in tmp_path.iterdir()] == ["profile.yaml"]


def test_the_hints_of_datasets_of_ones_own_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    define = "{name: own, train: train, eval: val, define: {skeleton: {keypoints: [nose], sigmas: [0.1]}}}"
    text = changed(
        ("{name: coco, train: train2017, eval: val2017}", define),
        ("epochs: 5", "epochs: 5, initialization: kaiming, selection: final"),
        ("compare: published/coco_val", "title: Own"),
    )
    (tmp_path / "own.yaml").write_text(text)
    plan = make_plan(load_suite(Path("own.yaml")), Store(tmp_path))
    (fix,) = {
        lack.fix for lack in find_lacks(plan, plan.trainings, data_root=Path("data"), results=tmp_path, device=None)
    }
    assert fix == "bench data prepare own train val --data-root data --suite own.yaml"
    told = CliRunner().invoke(app, fix.split()[1:])
    assert told.exit_code == 0, told.output
    assert "annotations/person_keypoints_SPLIT.json" in told.stdout
    verified = CliRunner().invoke(app, ["data", "verify", "own", "val", "--suite", "own.yaml"])
    assert "bench data prepare own val --data-root data --suite own.yaml gets it or says how" in verified.stdout


def test_all_splits_are_verified_where_none_is_named(tmp_path: Path) -> None:
    run = ["data", "verify", "crowdpose", "--data-root", str(tmp_path)]
    empty = CliRunner().invoke(app, run)
    assert (empty.exit_code, "of any split" in empty.stdout) == (1, True)
    crowdpose(tmp_path / "crowdpose")
    found = CliRunner().invoke(app, run)
    assert [line.partition(":")[0] for line in found.stdout.splitlines() if line.startswith("crowdpose ")] == [
        "crowdpose test", "crowdpose trainval",
    ]  # fmt: skip
    listed = json.loads(CliRunner().invoke(app, [*run, "--json"]).stdout)
    assert [item["split"] for item in listed] == ["test", "trainval"]


def test_images_that_are_links_out_of_their_folder_are_said_unless_allowed(tmp_path: Path) -> None:
    root, plan, store = tmp_path / "data", plan_of(tmp_path), tmp_path / "store"
    store.mkdir()
    (store / "1.jpg").touch()
    add_imagenet(root)
    for split in ("train2017", "val2017"):
        add_coco(root, split, image=False)
        (root / "coco" / "images" / split / "1.jpg").symlink_to(store / "1.jpg")
    first, second = lacks(plan, tmp_path)
    assert first.what.startswith(f"{root}/coco/images/train2017: '1.jpg' is a link out of the image folder, to {store}")
    assert "--allow-links" in first.fix == second.fix
    places = {"data_root": root, "results": tmp_path / "results", "device": "cpu"}
    assert find_lacks(plan, plan.trainings, **places, allow_links=True) == []


def test_a_data_root_of_other_machines_is_not_looked_into(tmp_path: Path) -> None:
    plan, places = plan_of(tmp_path), {"data_root": tmp_path / "local disk", "results": tmp_path}
    assert find_lacks(plan, plan.trainings, **places, device=None) == []
    assert find_lacks(plan, plan.trainings, **places, device="cpu")
    (tmp_path / "local disk").mkdir()
    assert find_lacks(plan, plan.trainings, **places, device=None)


def test_imagenet_weights_are_named_by_backbone(tmp_path: Path) -> None:
    run = ["data", "prepare", "imagenet", "--data-root", str(tmp_path), "--dry-run"]
    all_of_them = CliRunner().invoke(app, run).stdout.splitlines()
    assert len(all_of_them) == len(set(IMAGENET_FILES.values()))
    (tmp_path / "imagenet").mkdir()
    (tmp_path / "imagenet" / "hrnet_w32-36af842e.pth").touch()
    told = CliRunner().invoke(app, [*run, "hrnet_w32", "hrnet_w48", "simba_res50"]).stdout.splitlines()
    assert [line.rpartition(": ")[2].partition(" ")[0] for line in told] == [
        "is", "get", "https://download.pytorch.org/models/resnet50-19c8e357.pth",
    ]  # fmt: skip
