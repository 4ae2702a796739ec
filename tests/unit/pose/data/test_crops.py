"""Crops: the seed alone decides them, and keypoints stay on the pixels that they were annotated on."""

import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from bench.pose.data.augmentation import Augmentation
from bench.pose.data.crops import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Batch,
    CropSettings,
)
from bench.pose.data.instances import Instance
from bench.pose.data.loading import Position, evaluation_batches, training_batches
from bench.pose.data.pixels.image_source import DECODED, DecodedImages, ImagePixels
from bench.pose.locating import crop_to_image
from bench.pose.skeletons import COCO_17

SETTINGS = CropSettings((96, 64), "rgb", COCO_17)
AUGMENTATION = Augmentation()
STILL = Augmentation(flip_probability=0, scale_factor=0, rotation_probability=0, half_body_probability=0)
INSTANCES, BATCH, EPOCHS = 7, 3, 2
DOT = 2.5
"""Deviation in px of the bright dot on each person's marked keypoint."""


def instance(folder: Path, number: int) -> Instance:
    """A dark noisy image with a bright dot on one keypoint, a different one for each instance."""
    rng = np.random.default_rng(number)
    height, width = 120, 160 + number
    keypoints = np.stack([rng.uniform(50, 110, 17), rng.uniform(30, 90, 17)], axis=1)
    rows, columns = np.mgrid[:height, :width]
    x, y = keypoints[number]
    dot = 200 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * DOT**2))
    image = rng.integers(0, 20, (height, width, 3)) + dot[..., None]
    file = folder / f"{number}.png"
    cv2.imwrite(str(file), image.astype(np.uint8))
    return Instance(
        image=file,
        image_id=number,
        annotation_id=100 + number,
        box=np.array([40.0, 20.0, 80.0, 80.0]),
        keypoints=keypoints,
        visible=np.ones(17, dtype=bool),
        area=5000.0,
    )


@pytest.fixture(scope="module")
def instances(tmp_path_factory: pytest.TempPathFactory) -> list[Instance]:
    folder = tmp_path_factory.mktemp("instances")
    return [instance(folder, number) for number in range(INSTANCES)]


def batches(instances: Sequence[Instance], *, start: Position = Position(), workers: int = 0, seed: int = 0):  # noqa: B008
    return list(
        training_batches(
            instances, SETTINGS, AUGMENTATION, batch_size=BATCH, epochs=EPOCHS, seed=seed, start=start, workers=workers
        )
    )


def assert_same(found: Sequence[Batch], expected: Sequence[Batch]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        for name in ("images", "keypoints", "visible", "indices", "centers", "scales"):
            assert torch.equal(getattr(one, name), getattr(other, name)), name


def test_the_number_of_workers_changes_no_sample(instances: list[Instance]) -> None:
    assert_same(batches(instances, workers=2), batches(instances))


@pytest.mark.parametrize("start", [Position(0, 1), Position(0, 2), Position(1, 0), Position(1, 2), Position(2, 0)])
def test_whoever_resumes_gets_the_same_samples(start: Position, instances: list[Instance]) -> None:
    done = start.epoch * 3 + start.step
    assert_same(batches(instances, start=start), batches(instances)[done:])


def test_drawing_crops_leaves_torch_s_random_state_alone(instances: list[Instance]) -> None:
    before = torch.get_rng_state()
    batches(instances)
    assert torch.equal(torch.get_rng_state(), before)


def test_every_epoch_visits_everybody_once_in_a_new_order(instances: list[Instance]) -> None:
    found = batches(instances)
    assert [len(batch) for batch in found] == [3, 3, 1] * EPOCHS
    epochs = [torch.cat([batch.indices for batch in found[at : at + 3]]).tolist() for at in (0, 3)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(INSTANCES))] * 2
    assert epochs[0] != epochs[1]
    assert torch.cat([batch.indices for batch in batches(instances, seed=1)[:3]]).tolist() != epochs[0]


def test_augmentation_differs_between_epochs_and_instances(instances: list[Instance]) -> None:
    first, second = batches([instances[0], instances[0]])
    crops = [image.numpy().tobytes() for batch in (first, second) for image in batch.images]
    assert len(set(crops)) == 4


def test_evaluation_crops_come_in_order(instances: list[Instance]) -> None:
    found = list(evaluation_batches(instances, SETTINGS, batch_size=BATCH))
    assert torch.cat([batch.indices for batch in found]).tolist() == list(range(INSTANCES))


def test_broken_images_are_reported_and_left_out(instances: list[Instance], tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    broken = [
        *instances[:2],
        replace(instances[2], image=tmp_path / "text.jpg"),
        *[replace(one, image=tmp_path / "absent.jpg") for one in instances[3:6]],
    ]
    one, other = evaluation_batches(broken, SETTINGS, batch_size=BATCH)
    assert one.indices.tolist() == [0, 1]
    ((index, problem),) = one.broken
    assert index == 2
    assert "text.jpg" in problem
    assert isinstance(other, tuple), "a batch of which nothing can be read is the list of what was wrong"
    assert [index for index, _ in other] == [3, 4, 5]


def brightest(image: np.ndarray) -> np.ndarray:
    """Center (x, y) of the bright dot."""
    values = np.clip(image.astype(float).mean(axis=-1) - 40, 0, None)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(values * columns).sum(), (values * rows).sum()]) / values.sum()


VIEWS = {
    "still": STILL,
    "flipped": replace(STILL, flip_probability=1),
    "turned": replace(STILL, rotation_probability=1),
    "scaled": replace(STILL, scale_factor=0.35),
    "half body": replace(STILL, half_body_probability=1),
    "everything": replace(AUGMENTATION, flip_probability=1, rotation_probability=1),
}


@pytest.mark.parametrize("augmentation", VIEWS.values(), ids=VIEWS)
def test_keypoints_stay_on_their_pixels(augmentation: Augmentation, instances: list[Instance]) -> None:
    start = Position()
    found = training_batches(
        instances, SETTINGS, augmentation, batch_size=INSTANCES, epochs=3, seed=4, start=start, workers=0
    )
    seen = 0
    for batch in found:
        for index, image, keypoints in zip(
            batch.indices.tolist(), batch.images.numpy(), batch.keypoints.numpy(), strict=True
        ):
            flipped = augmentation.flip_probability == 1
            keypoint = keypoints[COCO_17.flip_indices[index] if flipped else index]
            # Only dots wholly inside the crop have their center of brightness on the keypoint.
            if (keypoint > 10).all() and (keypoint < np.array([64, 96]) - 10).all():
                np.testing.assert_allclose(brightest(image), keypoint, atol=0.35)
                seen += 1
    assert seen >= 5


def test_the_flipped_view_is_centered_on_the_same_pixel(instances: list[Instance]) -> None:
    """A crop's center is its pixel width / 2 (behaviour D16), in the flipped view too."""
    (plain,), (flipped,) = (
        training_batches(
            instances[:1], SETTINGS, VIEWS[name], batch_size=1, epochs=1, seed=0, start=Position(), workers=0
        )
        for name in ("still", "flipped")
    )
    x = plain.keypoints[0, list(COCO_17.flip_indices), 0]
    torch.testing.assert_close(flipped.keypoints[0, :, 0], SETTINGS.size[1] - x)


def test_crops_lead_back_to_the_image(instances: list[Instance]) -> None:
    (batch,) = evaluation_batches(instances, SETTINGS, batch_size=INSTANCES)
    points = crop_to_image(batch.keypoints, batch.centers, batch.scales, SETTINGS.size)
    np.testing.assert_allclose(points, [one.keypoints for one in instances], atol=1e-3)


def test_color_order(instances: list[Instance], tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "blue.png"), np.full((120, 160, 3), (250, 10, 20), np.uint8))
    blue = [replace(instances[0], image=tmp_path / "blue.png")]
    for order, expected in [("rgb", [20, 10, 250]), ("bgr", [250, 10, 20])]:
        (batch,) = evaluation_batches(blue, replace(SETTINGS, color_order=order), batch_size=1)
        assert batch.images[0, 48, 32].tolist() == expected


def test_normalization_takes_imagenet_s_mean_to_zero_and_its_deviation_to_one(instances: list[Instance]) -> None:
    (batch,) = evaluation_batches(instances[:1], SETTINGS, batch_size=1)
    mean, std = np.array(IMAGENET_MEAN), np.array(IMAGENET_STD)
    pixels = np.stack([np.zeros(3), np.full(3, 255), (mean * 255).round()]).astype(np.uint8)
    found = replace(batch, images=torch.from_numpy(pixels.reshape(1, 1, 3, 3))).normalized(torch.device("cpu"))
    assert (found.shape, found.dtype) == ((1, 3, 1, 3), torch.float32)
    np.testing.assert_allclose(found[0, :, 0, 0], -mean / std, rtol=1e-5)
    np.testing.assert_allclose(found[0, :, 0, 1], (1 - mean) / std, rtol=1e-5)
    np.testing.assert_allclose(found[0, :, 0, 2], 0, atol=0.01)


class Counted(DecodedImages):
    """Counts the decoded images that are in use at once."""

    def __init__(self) -> None:
        self.opened: list[weakref.ref[ImagePixels]] = []
        self.most = 0

    def open(self, path: Path) -> ImagePixels:
        found = DECODED.open(path)
        self.opened.append(weakref.ref(found))
        self.most = max(self.most, sum(one() is not None for one in self.opened))
        return found


def test_a_batch_does_not_hold_its_images(instances: list[Instance]) -> None:
    images = Counted()
    (batch,) = evaluation_batches(instances, SETTINGS, batch_size=INSTANCES, images=images)
    assert len(batch) == INSTANCES
    assert images.most <= 2
