"""What annotations cost at COCO's size: starts, memory of loader processes, `bench data verify` and `bench score`.

    python -m benchmarks.annotations [--against DIR]

Writes an annotation file with the counts of train2017 and predictions as many as val2017's detections, made of seeded
random numbers, into a temporary folder, and measures CPU seconds and memory of processes that read them, in turn with
the code of another checkout, if one is given. It takes two minutes, or four, so it is not part of `make benchmarks`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tabulate import tabulate

REPOSITORY = Path(__file__).resolve().parents[1]

IMAGES, ANNOTATIONS, INSTANCES, PLACES = 118_287, 262_465, 149_829, 64_115
"""Of train2017: images, annotated people, those of them with keypoints, and the images that these are in."""

SCORED = {"images": 5_000, "annotations": 11_004, "instances": 6_352, "places": 2_346}
SPLIT = "train2017"
DETECTIONS = 104_125
"""Of val2017, and the detections of its published boxes."""

KEYPOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
OUTLINE = 74
"""Numbers of an outline, which make the file about as large as train2017's."""

WORKERS = 2
"""Forked processes, each of which reads all instances once in an order of its own."""

MEGABYTE = 1e6

Array = npt.NDArray[Any]


def write_annotations(file: Path, *, images: int, annotations: int, instances: int, places: int, seed: int = 0) -> None:
    """An annotation file like COCO's: `instances` of the annotations have keypoints, in `places` of the images."""
    rng = np.random.default_rng(seed)
    width, height = 640, 480
    located = rng.choice(images, places, replace=False)
    where = np.concatenate(
        [located, rng.choice(located, instances - places), rng.integers(0, images, annotations - instances)]
    )
    sides = np.exp(rng.normal(4.3, 0.7, (annotations, 2))).clip(8, 400).round(2)
    corners = (rng.uniform(0, 1, (annotations, 2)) * (np.array([width, height]) - sides)).round(2)
    points = (corners[:, None] + rng.uniform(0, 1, (annotations, len(KEYPOINTS), 2)) * sides[:, None]).astype(int)
    labels = rng.choice(3, (annotations, len(KEYPOINTS)), p=(0.35, 0.1, 0.55))
    labels[:, 0] = 2
    labels[instances:] = 0
    keypoints = np.concatenate([points, labels[..., None]], axis=-1) * (labels > 0)[..., None]
    outlines = (
        np.tile(corners, OUTLINE // 2) + rng.uniform(0, 1, (annotations, OUTLINE)) * np.tile(sides, OUTLINE // 2)
    ).round(2)
    with file.open("w", encoding="utf-8") as out:
        out.write('{"info": {"description": "made up"}, "images": [')
        out.write(", ".join(_image(number, width, height) for number in range(images)))
        out.write('], "annotations": [')
        for number, index in enumerate(rng.permutation(annotations).tolist()):
            entry = {
                "segmentation": [outlines[index].tolist()],
                "num_keypoints": int((labels[index] > 0).sum()),
                "area": round(0.6 * float(sides[index].prod()), 4),
                "iscrowd": 0,
                "keypoints": keypoints[index].ravel().tolist(),
                "image_id": int(where[index]) + 1,
                "bbox": [*corners[index].tolist(), *sides[index].tolist()],
                "category_id": 1,
                "id": 1_000_000 + number,
            }
            out.write(("" if number == 0 else ", ") + json.dumps(entry))
        category = {"id": 1, "name": "person", "keypoints": KEYPOINTS, "supercategory": "person"}
        out.write('], "categories": [' + json.dumps(category) + "]}")


def _image(number: int, width: int, height: int) -> str:
    name = f"{number + 1:012d}.jpg"
    return json.dumps(
        {
            "license": number % 8,
            "file_name": name,
            "coco_url": f"http://images.cocodataset.org/train2017/{name}",
            "height": height,
            "width": width,
            "date_captured": "2013-11-14 11:18:45",
            "flickr_url": f"http://farm{number % 9}.staticflickr.com/{number % 9999}/{number:010d}_0123456789_z.jpg",
            "id": number + 1,
        }
    )


def write_predictions(file: Path, truth: Path, count: int, seed: int = 0) -> None:
    """Predictions of annotated people, more or less precise, in the COCO results format."""
    rng = np.random.default_rng(seed)
    people = [one for one in json.loads(truth.read_bytes())["annotations"] if one["num_keypoints"]]
    predictions = []
    for index in rng.integers(0, len(people), count).tolist():
        found = np.array(people[index]["keypoints"], dtype=float).reshape(-1, 3)
        found[:, :2] += rng.normal(0, rng.uniform(1, 20), (len(found), 2))
        found[:, 2] = rng.uniform(0, 1, len(found))
        predictions.append(
            {
                "image_id": people[index]["image_id"],
                "category_id": 1,
                "keypoints": found.round(3).ravel().tolist(),
                "score": round(float(rng.uniform()), 6),
            }
        )
    file.write_text(json.dumps(predictions))


def _start(folder: Path) -> Iterator[tuple[str, float]]:
    """The instances of the split, as a training reads them."""
    from bench.pose.data.coco_format import CocoKeypoints
    from bench.pose.skeletons import COCO_17

    began, before = time.process_time(), _memory("Rss")
    instances = CocoKeypoints(folder / "coco", SPLIT, COCO_17).instances()
    assert len(instances) == INSTANCES
    yield "CPU s", time.process_time() - began
    yield "MB", _memory("Rss") - before
    yield "MB at most", _memory("VmHWM", "status") - before


def _workers(folder: Path) -> Iterator[tuple[str, float]]:
    """Growth of the memory that forked processes do not share, while they read instances."""
    from bench.pose.data.coco_format import CocoKeypoints
    from bench.pose.skeletons import COCO_17

    instances = CocoKeypoints(folder / "coco", SPLIT, COCO_17).instances()

    def read(worker: int, tell: Any) -> None:
        order = np.random.default_rng(worker).permutation(len(instances)).tolist()
        before = _own_memory()
        for number, index in enumerate(order):
            one = instances[index]
            assert one.image.name
            assert one.keypoints[one.visible].sum() + one.box.sum() > 0
            if number == 20_000:
                tell.send(_own_memory() - before)
        tell.send(_own_memory() - before)

    context = multiprocessing.get_context("fork")
    pipes = [context.Pipe(duplex=False) for _ in range(WORKERS)]
    children = [context.Process(target=read, args=(worker, pipes[worker][1])) for worker in range(WORKERS)]
    for child in children:
        child.start()
    found = [(ours.recv(), ours.recv()) for ours, _ in pipes]
    for child in children:
        child.join()
    yield "MB of its own after 20,000", max(early for early, _ in found)
    yield "MB of its own after an epoch", max(late for _, late in found)


def _verify(folder: Path) -> Iterator[tuple[str, float]]:
    """`bench data verify`, of a split whose images are missing."""
    yield from _command("data", "verify", "coco", SPLIT, "--data-root", str(folder))


def _score(folder: Path) -> Iterator[tuple[str, float]]:
    """`bench score`, and how much of it pycocotools and imports take."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    import bench.pose.scoring
    import bench.suite.schema  # noqa: F401

    spent, imports = [], time.process_time()

    def timed(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any) -> Any:
            began = time.process_time()
            found = call(*arguments)
            spent.append(time.process_time() - began)
            return found

        return wrapper

    COCO.loadRes = timed(COCO.loadRes)
    COCOeval.evaluate, COCOeval.accumulate = timed(COCOeval.evaluate), timed(COCOeval.accumulate)
    truth = folder / "coco/annotations/person_keypoints_val2017.json"
    predictions = folder / "predictions.json"
    options = ("--protocol", "coco", "--predictions", str(predictions), "--annotations", str(truth))
    (_, total), memory = _command("score", *options)
    yield "CPU s", total
    yield memory
    yield "of them pycocotools", sum(spent)
    yield "of them imports", imports
    yield "all else", total - sum(spent) - imports


def _command(*words: str) -> Iterator[tuple[str, float]]:
    """A command of bench in this process, imports included; what it prints is lost."""
    from bench.cli import app

    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.suppress(SystemExit):
        app(words)
    yield "CPU s", time.process_time()
    yield "MB at most", _memory("VmHWM", "status")


def _memory(name: str, file: str = "smaps_rollup") -> float:
    """A figure of this process in MB."""
    lines = Path(f"/proc/self/{file}").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1024 / MEGABYTE


def _own_memory() -> float:
    return _memory("Private_Clean") + _memory("Private_Dirty")


PROBES = {"cold start": _start, "warm start": _start, "loader process": _workers, "data verify": _verify}
PROBES |= {"data verify again": _verify, "score": _score}
COLD = ("cold start", "data verify")
"""Probes before which what an earlier one kept is removed."""


def measured(probe: str, folder: Path, checkout: Path) -> dict[str, float]:
    """A probe in a process of its own, which runs the code of a checkout."""
    if probe in COLD:
        shutil.rmtree(folder / "coco/columns", ignore_errors=True)
    command = [sys.executable, "-P", __file__, "--probe", probe, "--folder", str(folder)]
    found = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(checkout)}, check=True, stdout=subprocess.PIPE)
    return dict(json.loads(found.stdout))


def main() -> None:
    """Print the table, or what a probe finds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="another checkout, measured in turn")
    parser.add_argument("--probe", choices=PROBES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.probe:
        print(json.dumps(list(PROBES[arguments.probe](arguments.folder))))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make(folder)
        checkouts = [path.resolve() for path in (arguments.against, REPOSITORY) if path]
        rows: list[list[Any]] = []
        for probe in PROBES:
            columns = [measured(probe, folder, checkout) for checkout in checkouts]
            rows += [[probe, name, *(column[name] for column in columns)] for name in columns[0]]
    if arguments.against:
        rows = [[*row, row[2] / max(row[3], 0.1)] for row in rows]
    headings = [*(["other"] if arguments.against else []), "ours", *(["ratio"] if arguments.against else [])]
    print(tabulate(rows, headers=["", "", *headings], tablefmt="github", floatfmt=".1f"))
    print(f"{platform.platform()}, Python {platform.python_version()}, NumPy {np.__version__}")


def make(folder: Path) -> None:
    """Write the files that the probes read."""
    annotations = folder / "coco/annotations"
    annotations.mkdir(parents=True)
    for split in (SPLIT, "val2017"):
        (folder / "coco/images" / split).mkdir(parents=True)
    counts = {"images": IMAGES, "annotations": ANNOTATIONS, "instances": INSTANCES, "places": PLACES}
    write_annotations(annotations / f"person_keypoints_{SPLIT}.json", **counts)
    truth = annotations / "person_keypoints_val2017.json"
    write_annotations(truth, **SCORED)
    write_predictions(folder / "predictions.json", truth, DETECTIONS)


if __name__ == "__main__":
    main()
