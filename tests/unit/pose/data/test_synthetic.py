"""Tests of the synthetic set: reproducible files, valid COCO, and keypoints that sit where they are drawn."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from bench.pose.data.drawing.figures import SUPERSAMPLING, Figure, build_figure, fill, random_clothes
from bench.pose.data.drawing.poses import Limb, Pose, pose_body, random_pose
from bench.pose.data.drawing.scenes import DrawnInstance, Scene, annotate, draw_scene, paint
from bench.pose.data.synthetic import VERSION, SyntheticSet, generate
from bench.pose.errors import DataError
from bench.pose.skeletons import COCO_17

SPEC = SyntheticSet(instances=23, seed=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic")
    generate(folder, "train", SPEC, workers=1)
    return folder


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in {".jpg", ".json"}
    }


def _contents(folder: Path, split: str = "train") -> dict:
    return json.loads((folder / "annotations" / f"person_keypoints_{split}.json").read_text())


def _scenes(count: int = 12) -> Iterator[Scene]:
    for number in range(count):
        yield draw_scene(np.random.default_rng(number), (160, 208), 1 + number % 3)


def _figure(pose: Pose, origin: tuple[float, float] = (100, 90)) -> Figure:
    return build_figure(pose_body(pose), random_clothes(np.random.default_rng(0)), 120, origin)


def _annotated(*figures: Figure) -> DrawnInstance:
    """The farthest of some figures."""
    return annotate(list(figures), SPEC.image_size)[0]


def _x(figure: Figure, name: str) -> float:
    return float(figure.keypoints[COCO_17.index(name), 0])


class TestFiles:
    def test_the_number_of_workers_changes_no_byte(self, folder: Path, tmp_path: Path) -> None:
        generate(tmp_path, "train", SPEC, workers=2)
        assert _files(tmp_path) == _files(folder)

    def test_splits_and_seeds_differ(self, folder: Path, tmp_path: Path) -> None:
        generate(tmp_path, "val", replace(SPEC, instances=2), workers=1)
        generate(tmp_path, "train", replace(SPEC, instances=2, seed=6), workers=1)
        first = "000000000001.jpg"
        variants = {
            (folder / "images/train" / first).read_bytes(),
            (tmp_path / "images/train" / first).read_bytes(),
            (tmp_path / "images/val" / first).read_bytes(),
        }
        assert len(variants) == 3

    @pytest.mark.parametrize("instances", [1, 4])
    def test_instances_are_counted_exactly(self, tmp_path: Path, instances: int) -> None:
        generate(tmp_path, "train", SyntheticSet(instances, seed=0), workers=1)
        assert len(_contents(tmp_path)["annotations"]) == instances

    def test_an_interrupted_split_is_redone(self, folder: Path, tmp_path: Path) -> None:
        path = generate(tmp_path, "train", SPEC, workers=1)
        path.unlink()
        (tmp_path / "images/train/000000000003.jpg").write_bytes(b"half")
        assert generate(tmp_path, "train", SPEC, workers=1) == path
        assert _files(tmp_path) == _files(folder)

    def test_no_annotations_before_the_last_image(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("bench.pose.data.synthetic.cv2.imencode", fail)
        with pytest.raises(KeyboardInterrupt):
            generate(tmp_path, "train", SPEC, workers=1)
        assert not list(tmp_path.rglob("*.json"))

    def test_a_finished_split_is_reused(self, folder: Path) -> None:
        times = {path: path.stat().st_mtime_ns for path in folder.rglob("*.*")}
        generate(folder, "train", SPEC)
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.*")} == times

    def test_another_spec_replaces_the_split(self, tmp_path: Path) -> None:
        generate(tmp_path, "train", SyntheticSet(instances=6, seed=1), workers=1)
        generate(tmp_path, "train", SyntheticSet(instances=2, seed=1), workers=1)
        contents = _contents(tmp_path)
        assert contents["info"]["synthetic"] == {
            "version": VERSION, "instances": 2, "seed": 1, "image_size": [160, 208],
        }  # fmt: skip
        listed = sorted(image["file_name"] for image in contents["images"])
        assert sorted(path.name for path in (tmp_path / "images/train").iterdir()) == listed


class TestAnnotations:
    def test_pycocotools_reads_them(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        coco = COCO(str(folder / "annotations/person_keypoints_train.json"))
        capsys.readouterr()
        (category,) = coco.loadCats(coco.getCatIds(catNms=["person"]))
        assert tuple(category["keypoints"]) == COCO_17.keypoints
        assert category["skeleton"][0] == [1, 2]
        assert coco.getAnnIds() == list(range(1, 24))
        for image in coco.loadImgs(coco.getImgIds()):
            pixels = cv2.imread(str(folder / "images/train" / image["file_name"]))
            assert pixels.shape == (image["height"], image["width"], 3)
            assert 1 <= len(coco.getAnnIds(imgIds=[image["id"]])) <= 3

    def test_keypoints_lie_in_the_image_and_around_the_box(self, folder: Path) -> None:
        for annotation in _contents(folder)["annotations"]:
            keypoints = np.array(annotation["keypoints"]).reshape(17, 3)
            labelled = keypoints[:, 2] > 0
            x, y, width, height = annotation["bbox"]
            points, corner = keypoints[labelled, :2], np.array([x, y])
            assert annotation["num_keypoints"] == labelled.sum()
            assert not keypoints[~labelled].any()
            assert (points >= 0).all()
            assert (points <= (207, 159)).all()
            seen = keypoints[keypoints[:, 2] == 2, :2]
            assert (seen >= corner - 1).all()
            assert (seen <= corner + np.array([width, height])).all()
            assert 0 < annotation["area"] <= 160 * 208

    def test_boxes_and_areas_are_those_of_the_masks(self, tmp_path: Path) -> None:
        spec = SyntheticSet(instances=1, seed=3)
        generate(tmp_path, "val", spec, workers=1)
        (annotation,) = _contents(tmp_path, "val")["annotations"]
        rng = np.random.default_rng([3, zlib.crc32(b"val"), 1])
        (instance,) = draw_scene(rng, spec.image_size, 1).instances
        rows, columns = np.nonzero(instance.visible)
        box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
        assert annotation["bbox"] == box
        assert annotation["area"] == instance.silhouette.sum()

    def test_instances_in_front_hide_keypoints(self) -> None:
        for scene in _scenes():
            for behind, front in zip(scene.instances, scene.instances[1:], strict=False):
                assert not (behind.visible & front.visible).any()
        seen = _annotated(_figure(Pose()))
        hidden = _annotated(_figure(Pose()), _figure(Pose()))
        assert (seen.visibility == 2).all()
        assert (hidden.visibility == 1).all()
        assert (hidden.silhouette == seen.visible).all()
        assert not hidden.visible.any()

    def test_keypoints_beyond_the_edge_are_not_labelled(self) -> None:
        cut = _annotated(_figure(Pose(), origin=(100, 155)))
        assert (cut.visibility == np.where(cut.keypoints[:, 1] <= 159, 2, 0)).all()
        assert 0 < (cut.visibility == 0).sum() < 17

    def test_every_instance_is_largely_in_sight(self) -> None:
        for scene in _scenes():
            for instance in scene.instances:
                assert instance.visible.sum() >= 0.4 * instance.silhouette.sum() > 0


class TestSides:
    @pytest.mark.parametrize("part", ["eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"])
    @pytest.mark.parametrize(("facing", "sign"), [(0, 1), (25, 1), (-25, 1), (180, -1), (205, -1)])
    def test_the_own_left_is_at_image_right_from_the_front(self, part: str, facing: float, sign: int) -> None:
        figure = _figure(Pose(facing=facing))
        assert sign * (_x(figure, f"left_{part}") - _x(figure, f"right_{part}")) > 0

    @pytest.mark.parametrize(
        ("facing", "hidden"),
        [
            (0, set()),
            (70, {"left_eye", "left_ear"}),
            (-70, {"right_eye", "right_ear"}),
            (180, {"nose", "left_eye", "right_eye"}),
        ],
    )
    def test_the_face_tells_the_side(self, facing: float, hidden: set[str]) -> None:
        visibility = _annotated(_figure(Pose(facing=facing))).visibility[:5]
        assert {name for name, seen in zip(COCO_17.keypoints, visibility, strict=False) if seen == 1} == hidden

    def test_front_and_back_look_different(self) -> None:
        front, back = (_painted(_figure(Pose(facing=facing))).astype(int) for facing in (0, 180))
        assert (np.abs(front - back).max(axis=2) > 60).sum() > 100

    def test_the_trunk_hides_a_hand_behind_the_back(self) -> None:
        pose = Pose(arms=(Limb(flex=-25, twist=90, bend=80), Limb()))
        wrist = COCO_17.index("left_wrist")
        assert _annotated(_figure(pose)).visibility[wrist] == 1
        assert _annotated(_figure(replace(pose, facing=180))).visibility[wrist] == 2

    def test_bones_keep_their_length(self) -> None:
        rng = np.random.default_rng(1)
        for _ in range(20):
            points = pose_body(random_pose(rng), camera_pitch=10)
            for side in ("left", "right"):
                thigh = np.linalg.norm(points[f"{side}_hip"] - points[f"{side}_knee"])
                forearm = np.linalg.norm(points[f"{side}_elbow"] - points[f"{side}_wrist"])
                assert (thigh, forearm) == pytest.approx((0.245, 0.145))


class TestAccuracy:
    def test_a_disc_is_drawn_around_its_center_at_its_size(self) -> None:
        rng = np.random.default_rng(0)
        for _ in range(50):
            (x, y), radius = rng.uniform(10, 20, 2), rng.uniform(3, 6)
            canvas = np.zeros((30 * SUPERSAMPLING, 30 * SUPERSAMPLING), np.uint8)
            fill(canvas, np.array([[x, y, 0, radius]]), 1)
            center = (_centroid(canvas) + 0.5) / SUPERSAMPLING - 0.5
            assert center == pytest.approx((x, y), abs=0.1)
            assert np.sqrt(canvas.sum() / np.pi) / SUPERSAMPLING == pytest.approx(radius, abs=0.1)

    @pytest.mark.parametrize("name", ["nose", "left_eye", "right_ear", "left_wrist", "right_knee"])
    def test_parts_are_drawn_at_their_keypoints(self, name: str) -> None:
        for shift in np.linspace(0, 0.9, 7):
            figure = _figure(Pose(), origin=(90.3, 80 + shift))
            balls = np.stack([ball for part in figure.parts if name in part.shows for ball in part.balls])
            distances = np.linalg.norm(balls[:, :2] - figure.keypoints[COCO_17.index(name)], axis=1)
            assert distances.min() == pytest.approx(0, abs=1e-9)

    def test_a_whole_pixel_shift_moves_pixels_and_keypoints_alike(self) -> None:
        still, moved = _figure(Pose(), origin=(90.3, 80.6)), _figure(Pose(), origin=(97.3, 83.6))
        assert moved.keypoints == pytest.approx(still.keypoints + np.array([7, 3]))
        np.testing.assert_array_equal(_painted(moved)[3:, 7:], _painted(still)[:-3, :-7])


class TestErrors:
    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            (SyntheticSet(instances=0, seed=0), "at least 1 instance, got instances=0"),
            (SyntheticSet(instances=1, seed=-1), "must not be negative, got seed=-1"),
            (SyntheticSet(instances=1, seed=0, image_size=(160, 40)), r"160 x 40 px .* at least 64 px"),
        ],
    )
    def test_impossible_specs(self, tmp_path: Path, spec: SyntheticSet, message: str) -> None:
        with pytest.raises(DataError, match=message):
            generate(tmp_path, "train", spec)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("split", ["", "../train", "a/b"])
    def test_split_names_that_leave_the_folder(self, tmp_path: Path, split: str) -> None:
        with pytest.raises(DataError, match="invalid split name"):
            generate(tmp_path, split, SPEC)

    def test_no_workers(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="workers=0"):
            generate(tmp_path, "train", SPEC, workers=0)

    @pytest.mark.parametrize("contents", ['{"info": {}, "images": []}', "{", "[]"])
    def test_foreign_annotations_are_left_alone(self, tmp_path: Path, contents: str) -> None:
        path = tmp_path / "annotations/person_keypoints_train.json"
        path.parent.mkdir()
        path.write_text(contents)
        with pytest.raises(DataError, match="not written by the synthetic generator"):
            generate(tmp_path, "train", SPEC)
        assert path.read_text() == contents

    @pytest.mark.parametrize("size", [(64, 64), (640, 64), (64, 640)])
    def test_small_and_oblong_images_work(self, tmp_path: Path, size: tuple[int, int]) -> None:
        generate(tmp_path, "train", SyntheticSet(instances=3, seed=0, image_size=size), workers=1)
        assert len(_contents(tmp_path)["annotations"]) == 3


def _painted(figure: Figure) -> np.ndarray:
    height, width = SPEC.image_size
    return paint([figure], np.zeros((height * SUPERSAMPLING, width * SUPERSAMPLING, 3), np.uint8))


def _centroid(weights: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(weights.shape)
    return np.array([(columns * weights).sum(), (rows * weights).sum()]) / weights.sum()
