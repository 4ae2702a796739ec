"""What is there of the datasets: listing, counting."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.pose.data import verify as verification
from bench.pose.data.datasets import DATASETS, dataset_info
from bench.pose.data.prepare import ARCHIVES, BY_HAND
from bench.pose.data.verify import verify
from bench.pose.errors import UnknownNameError
from tests.unit.tiny_datasets import INSTANCES, coco_format, coco_test_dev, crowdpose, mpii, mpii_instance


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], dict[str, int]]:
    """Known counts to fill in; those of the real datasets do not hold for tiny ones."""
    known: dict[tuple[str, str], dict[str, int]] = {}
    monkeypatch.setattr(verification, "KNOWN", known)
    return known


@pytest.mark.parametrize(
    ("dataset", "make", "split", "expected"),
    [
        ("mpii", mpii, "valid", {"annotations": INSTANCES, "instances": INSTANCES, "instances_images": INSTANCES}),
        (
            "crowdpose",
            crowdpose,
            "test",
            {
                "images": INSTANCES,
                "annotations": INSTANCES,
                "instances": INSTANCES,
                "instances_images": INSTANCES,
                "boxes": 2 * INSTANCES,
            },
        ),
        ("coco", coco_test_dev, "test-dev2017", {"images": INSTANCES, "boxes": 2 * INSTANCES}),
    ],
)
def test_complete_splits(
    dataset: str, make: Callable[[Path], Path], split: str, expected: dict[str, int], counts: dict, tmp_path: Path
) -> None:
    folder = make(tmp_path)
    counts[dataset, split] = expected
    found = verify(dataset_info(dataset), folder, split)
    assert (found.counts, found.missing, found.problems) == (expected, [], [])
    assert found.complete
    assert list(found.lines())[-1].endswith("0 missing, 0 problems")


def test_known_counts_are_compared(counts: dict, tmp_path: Path) -> None:
    folder = crowdpose(tmp_path)
    counts["crowdpose", "test"] = {"images": 8000, "boxes": 2 * INSTANCES, "annotations": 7}
    found = verify(dataset_info("crowdpose"), folder, "test")
    assert found.problems == [
        "6 images listed, but the complete split has 8,000",
        "6 annotated instances, but the complete split has 7",
    ]


def test_everything_missing_is_listed(counts: dict, tmp_path: Path) -> None:
    found = verify(dataset_info("mpii"), tmp_path, "valid")
    assert [Path(entry).name for entry in found.missing] == ["valid.json", "gt_valid.mat"]
    assert not found.problems
    folder = crowdpose(tmp_path / "crowdpose")
    for file in (folder / "images").iterdir():
        file.unlink()
    (folder / "annotations" / "det_for_crowd_test_0.1_0.5.json").unlink()
    found = verify(dataset_info("crowdpose"), folder, "test")
    assert [entry.split("/")[-1] for entry in found.missing] == [
        "det_for_crowd_test_0.1_0.5.json",
        *[f"{100 + number}.png" for number in range(5)],
        "1 more images of 6",
    ]
    (folder / "images").rmdir()
    assert "images is not a folder" in verify(dataset_info("crowdpose"), folder, "test").problems[0]


def test_broken_images_and_entries_are_listed(counts: dict, tmp_path: Path) -> None:
    folder = mpii(tmp_path, [mpii_instance(0), mpii_instance(1), mpii_instance(2, scale=0)])
    (folder / "images" / "1.png").write_text("no image")
    image, entry = verify(dataset_info("mpii"), folder, "valid").problems
    assert "1.png: not an image" in image
    assert "instance 2: scale 0 is not a positive number" in entry


def test_the_command_ends_1_and_says_where_to_get_it(tmp_path: Path) -> None:
    run = CliRunner().invoke
    result = run(app, ["data", "verify", "mpii", "valid", "--data-root", str(tmp_path)])
    assert result.exit_code == 1
    assert "missing: " in result.stdout
    assert "bench data prepare mpii" in result.stdout
    mpii(tmp_path / "mpii")
    result = run(app, ["data", "verify", "mpii", "valid", "--data-root", str(tmp_path)])
    assert "6 annotated instances, but the complete split has 2,958" in result.stdout
    listed = run(app, ["data", "list", "--data-root", str(tmp_path)]).stdout
    assert "train, valid" in listed
    assert "gt_valid.mat" in run(app, ["data", "prepare", "mpii", "--data-root", str(tmp_path)]).stdout


def test_what_is_no_fault_but_worth_to_know_is_noted(counts: dict, tmp_path: Path) -> None:
    folder = crowdpose(tmp_path)
    file = folder / "annotations" / "crowdpose_test.json"
    contents = json.loads(file.read_text())
    for entry in contents["annotations"]:
        entry["keypoints"][:3] = [0, 0, 0]
    file.write_text(json.dumps(contents))
    findings = verify(dataset_info("crowdpose"), folder, "test")
    assert findings.complete
    (absent,) = findings.notes
    assert absent == "labelled in none of 6 instances, which neither teach nor judge it: left_shoulder"
    assert f"note: {absent}" in findings.lines()


def test_the_hint_for_files_of_own_data_is_a_command_that_works(tmp_path: Path) -> None:
    coco_format(tmp_path / "tripods", ("top", "hub", "left_foot", "right_foot", "front_foot"))
    (tmp_path / "tripods/images/val/100.png").unlink()
    suite = Path(__file__).parents[3] / "examples/own_data.yaml"
    arguments = ["data", "verify", "tripods", "val", "--data-root", tmp_path, "--suite", suite]
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == 1
    hint = result.stdout.splitlines()[-1].removesuffix(" gets it or says how")
    assert hint == f"bench data prepare tripods val --data-root {tmp_path} --suite {suite}"
    told = CliRunner().invoke(app, hint.split()[1:])
    assert told.exit_code == 0, told.output
    assert "annotations/person_keypoints_SPLIT.json" in told.stdout


def test_a_split_without_downloads_is_no_split(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["data", "prepare", "coco", "val2107", "--data-root", str(tmp_path), "--dry-run"])
    assert isinstance(result.exception, UnknownNameError)
    assert "did you mean 'val2017'" in str(result.exception)


def test_every_dataset_says_where_it_comes_from() -> None:
    assert BY_HAND.keys() == DATASETS.keys()
    assert ARCHIVES.keys() <= DATASETS.keys()


def test_splits_are_found_by_their_annotation_files(tmp_path: Path) -> None:
    assert dataset_info("coco").splits(coco_test_dev(tmp_path / "coco")) == ["train2017", "test-dev2017"]
    assert dataset_info("crowdpose").splits(crowdpose(tmp_path / "crowdpose")) == ["test", "trainval"]
    assert dataset_info("mpii").splits(mpii(tmp_path / "mpii")) == ["train", "valid"]
    assert dataset_info("mpii").splits(tmp_path / "absent") == []
