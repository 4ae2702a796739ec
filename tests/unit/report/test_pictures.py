"""Tests of the pictures of a report: plots as files, and pages of images."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from bench.analysis.curves import LearningCurves
from bench.analysis.results import Results
from bench.analysis.sensitivity import Sensitivity
from bench.analysis.uncertainty import Uncertainty
from bench.files import write_json
from bench.planning.plan import PlannedEvaluation, PlannedTraining
from bench.pose.metrics.diagnostics import Diagnostics
from bench.report import plots
from bench.report.example_pages import draw_images
from bench.report.figure_options import FigureKind
from bench.report.pictures import Picture, draw_pictures
from bench.report.plots import Drawing
from bench.store.folders import Store
from tests.unit.records import Fields, curve, make_results, suite_text

ONE = suite_text(backbone=["hrnet_w32"], input_size=["64x64"])


@dataclass(frozen=True)
class Studio:
    """A folder of results, and its pictures."""

    folder: Path

    @property
    def store(self) -> Store:
        return Store(self.folder / "results")

    def results(self, fields: Fields, text: str = ONE) -> Results:
        return make_results(self.folder, text, fields, lambda _: curve(3, 2, 1, validation=[0.1, 0.2, 0.3]))

    def pictures(self, results: Results) -> tuple[dict[str, Picture], tuple[str, ...]]:
        uncertainty = Uncertainty(results.frame, self.store)
        learning = LearningCurves.collect(results.frame, "AP", uncertainty)
        sensitivity = Sensitivity.collect(results, self.store, "AP")
        pictures, problems = draw_pictures(results, uncertainty, self.store, learning, sensitivity)
        assert len({picture.name for picture in pictures}) == len(pictures)
        return {picture.name: picture for picture in pictures}, problems

    def pages(self, results: Results) -> dict[str, Drawing]:
        with plots.plot_style():
            data = plots.gather_plot_data(results, Uncertainty(results.frame, self.store))
            return dict(draw_images(data.evaluations, data.skeleton, self.store))

    def image(self, results: Results, instances: Sequence[Mapping[str, Any]], **method: str) -> None:
        """Keep these instances for each record whose row has these settings."""
        for record, row in zip(results.records, results.frame.to_dict("records"), strict=True):
            if all(row[name] == value for name, value in method.items()):
                folder = self.store.evaluation(record)
                write_json(folder.instances_file, {"skeleton": "coco_17", "instances": list(instances)}, durable=False)
                (folder.path / "instances").mkdir(exist_ok=True)
                cv2.imwrite(str(folder.path / "instances/1.jpg"), np.full((112, 80, 3), 128, np.uint8))


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    monkeypatch.setattr("bench.report.plots.style.DPI", 60)  # small figures are drawn faster
    return Studio(tmp_path)


def full(training: PlannedTraining, _: PlannedEvaluation) -> Mapping[str, Any]:
    """A record that has everything."""
    errors = {"good": 0.8, "jitter": 0.1, "inversion": 0.02, "swap": 0.03, "miss": 0.05}
    reading = Diagnostics("AP", {"nose": 0.5, "left_eye": 0.6, "right_eye": 0.7}, {"0.50": 0.8, "0.95": 0.1}, errors)
    ap = {"heatmap": 0.4, "simdr": 0.5}[training.spec.representation]
    return {"metrics": {"AP": ap}, "ceiling": {"AP": 0.9}, "diagnostics": reading}


def instance(number: int, oks: float | None = 0.5, **changes: Any) -> dict[str, Any]:
    keypoints = [[4.0 * keypoint, 3.0 * keypoint + 20, 2.0] for keypoint in range(17)]
    return {"image_id": 7, "annotation_id": number, "file": "instances/1.jpg", "truth": keypoints,
            "prediction": keypoints,
            "oks": oks} | changes  # fmt: skip


def written(drawing: Drawing) -> list[str]:
    assert isinstance(drawing.figure, Figure)
    return [text.get_text() for text in drawing.figure.findobj(Text) if text.get_text()]


def test_everything_is_drawn_once_and_in_order(studio: Studio) -> None:
    results = studio.results(full, suite_text(backbone=["hrnet_w32"], input_size=["64x64"], split_ratio=[2, 3]))
    studio.image(results, [instance(1), instance(2, choice="worst"), instance(3, choice="median")])
    pictures, problems = studio.pictures(results)
    assert list(pictures) == [
        "bars", "gflops", "parameters", "splitting", "thresholds", "keypoints", "errors", "ceiling", "curves",
        "validation", "images", "images_worst", "images_median",
    ]  # fmt: skip
    assert problems == ()
    for picture in pictures.values():
        assert picture.png is not None, picture.name
        image = Image.open(io.BytesIO(picture.png))
        assert image.width / image.info["dpi"][0] <= 7.05
        assert len(np.unique(np.asarray(image.convert("L")))) > 10, picture.name
        assert picture.title
        assert picture.caption.endswith(".")
        assert "n = " in picture.caption or picture.name == "images"


def test_equal_results_make_equal_files(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.report.pictures.PLOTS", {"bars": plots.bars})
    results = studio.results(full)
    studio.image(results, [instance(1)])
    (first, _), (second, _) = studio.pictures(results), studio.pictures(results)
    assert list(first) == ["bars", "images"]
    kinds: tuple[FigureKind, ...] = ("pdf", "png")
    for name, kind in product(first, kinds):
        assert first[name].file(kind) == second[name].file(kind), (name, kind)


def test_nothing_measured_says_why(studio: Studio) -> None:
    pictures, problems = studio.pictures(make_results(studio.folder, ONE, lambda *_: None))
    assert problems == ()
    assert {picture.caption for picture in pictures.values()} == {
        "Nothing is measured yet.", "No training is finished yet.", "No images stored; a capsule holds none.",
    }  # fmt: skip
    assert not any(picture.png for picture in pictures.values())


def test_simulated_results_are_marked_in_every_plot(studio: Studio) -> None:
    measured, _ = studio.pictures(studio.results(full))
    results = studio.results(lambda *cell: {**full(*cell), "simulated": True})
    simulated, _ = studio.pictures(results)
    drawn = [name for name, picture in simulated.items() if picture.png]
    assert len(drawn) == 9
    for name in drawn:
        before, after = (
            np.asarray(Image.open(io.BytesIO(found[name].png or b"")).convert("L")).astype(int)
            for found in (measured, simulated)
        )
        assert (abs(after - before) > 5).mean() > 0.005, name


def test_problems_are_told_once(studio: Studio) -> None:
    results = studio.results(lambda *_: {"metrics": {"AP": 0.5}})
    studio.image(results, [instance(number, file="../x.jpg") for number in range(9)])
    _, problems = studio.pictures(results)
    assert len(problems) == len(set(problems))
    assert any("lies outside the folder" in problem for problem in problems)


# Images


def test_instances_of_older_files_are_spread_over_the_split(studio: Studio) -> None:
    results = studio.results(full)
    studio.image(results, [instance(1, 0.25), instance(2, None), instance(3, prediction=None)])
    pages = studio.pages(results)
    assert list(pages) == ["images"]
    texts = [text.replace("\n", " ") for text in written(pages["images"])]
    assert [texts.count(text) for text in ("OKS 0.250", "OKS –", "no prediction")] == [3, 3, 3]
    assert {
        "instance 1",
        "instance 2",
        "instance 3",
        "annotation",
        "heatmap + quarter shift",
        "heatmap",
        "SimDR",
    } <= set(texts)
    assert pages["images"].caption.startswith(
        "The first 3 stored instances of the validation split, HRNet-W32 at 64x64"
    )


def test_only_instances_of_all_methods_are_compared(studio: Studio) -> None:
    results = studio.results(full)
    studio.image(results, [instance(1), instance(2)])
    studio.image(results, [instance(2), instance(3)], representation="simdr")
    texts = written(studio.pages(results)["images"])
    assert [text for text in texts if text.startswith("instance")] == ["instance 2"]


def test_each_method_has_its_own_worst_instances_in_their_order(studio: Studio) -> None:
    results = studio.results(full)
    studio.image(
        results, [instance(4, 0.01, choice="worst"), instance(5, 0.02, choice="worst")], representation="heatmap"
    )
    studio.image(results, [instance(6, 0.03, choice="worst")], representation="simdr")
    pages = studio.pages(results)
    assert list(pages) == ["images", "images_worst"]
    assert pages["images"].figure is None
    texts = [text for text in written(pages["images_worst"]) if "instance" in text]
    heatmap = ["OKS 0.010\ninstance 4", "OKS 0.020\ninstance 5"]
    assert texts == [*heatmap, *heatmap, "OKS 0.030\ninstance 6"], "a line of images per method"
    assert "worst first" in pages["images_worst"].caption
    assert "n = 2 instances per method" in pages["images_worst"].caption


def test_more_instances_than_fit_a_page_are_left_out(studio: Studio) -> None:
    results = studio.results(full)
    studio.image(results, [instance(number) for number in range(1, 12)])
    pages = studio.pages(results)
    assert list(pages) == ["images"]
    shown = [text for text in written(pages["images"]) if text.startswith("instance")]
    assert shown == [f"instance {number}" for number in range(1, 9)]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"skeleton": "dog_9", "instances": []}, "skeleton 'dog_9', expected 'coco_17'"),
        ({"skeleton": "coco_17", "instances": [instance(1, choice="best")]}, "instances.0.choice"),
        ({"skeleton": "coco_17", "instances": [instance(1, truth=[])]}, "instance 1 has 0 keypoints, coco_17 has 17"),
        ([], "instances.json"),
    ],
    ids=["skeleton", "choice", "joints", "list"],
)
def test_unusable_files_are_named_and_cost_their_own_column(studio: Studio, contents: Any, message: str) -> None:
    results = studio.results(full)
    studio.image(results, [instance(1)])
    write_json(studio.store.evaluation(next(iter(results.records))).instances_file, contents)
    page = studio.pages(results)["images"]
    assert [problem for problem in page.problems if message in problem]
    assert "heatmap + quarter shift" not in written(page)
    assert "SimDR" in written(page)
