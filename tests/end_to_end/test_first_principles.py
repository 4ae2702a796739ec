"""`bench eval` against a second, plain reading of the protocol: one instance, one keypoint at a time, in NumPy.

The point-by-point description is behaviour D11 to D18 and E1 to E12; nothing of `bench` is used but the network and the
annotation files.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from bench.cli import app
from bench.pose.models.build import build_model, initialize
from tests.shared import shared_data

SIZE = 64
BACKBONE = "simba_tiny"
PAIRS = [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)]
SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
SPLIT_RATIO = {"simdr": 3.0, "simdr_star": 2.0}
THRESHOLD = {"heatmap": 0.2, "simdr": 0.02, "simdr_star": 0.01}


def annotated_boxes(truth: dict) -> list[tuple[int, list[float], float]]:
    """(image id, box, score) of each instance worth evaluating, images and instances in file order (D11)."""
    boxes = []
    for image in truth["images"]:
        for instance in truth["annotations"]:
            if instance["image_id"] != image["id"] or instance["iscrowd"] or instance["area"] <= 0:
                continue
            x, y, w, h = instance["bbox"]
            x1, y1 = max(0, x), max(0, y)
            x2, y2 = min(image["width"] - 1, x1 + max(0, w - 1)), min(image["height"] - 1, y1 + max(0, h - 1))
            if max(instance["keypoints"]) > 0 and x2 >= x1 and y2 >= y1:
                boxes.append((image["id"], [x1, y1, x2 - x1, y2 - y1], 1.0))
    return boxes


def crop(image: np.ndarray, box: list[float]) -> tuple[np.ndarray, np.ndarray, float]:
    """Network input (3, 64, 64), center and side in px of the padded square (D13, D14, D16)."""
    center = np.float32([box[0] + box[2] / 2, box[1] + box[3] / 2])
    side = np.float32(np.float32(max(box[2], box[3]) / 200) * np.float32(1.25)) * 200
    source = np.float32([center, center - (0, side / 2), center - (side / 2, side / 2)])
    target = np.float32([[32, 32], [32, 0], [0, 0]])
    pixels = cv2.warpAffine(image, cv2.getAffineTransform(source, target), (SIZE, SIZE), flags=cv2.INTER_LINEAR)
    return ((pixels / 255.0 - MEAN) / STD).transpose(2, 0, 1).astype(np.float32), center, float(side)


def forward(model: torch.nn.Module, pixels: np.ndarray) -> list[np.ndarray]:
    with torch.inference_mode():
        output = model(torch.from_numpy(np.ascontiguousarray(pixels))[None])
    parts = [output] if isinstance(output, torch.Tensor) else list(output)
    return [part[0].double().numpy() for part in parts]


def swap_pairs(values: np.ndarray) -> np.ndarray:
    swapped = values.copy()
    for left, right in PAIRS:
        swapped[left], swapped[right] = values[right], values[left]
    return swapped


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def heatmap_keypoints(view: list[np.ndarray], flipped: list[np.ndarray] | None) -> np.ndarray:
    """(17, 3): crop px and confidence, quarter-cell refinement included (E1, E6, E7)."""
    maps = view[0]
    if flipped is not None:
        other = swap_pairs(flipped[0][:, :, ::-1])
        other[:, :, 1:] = other[:, :, :-1].copy()
        maps = (maps + other) / 2
    keypoints = np.zeros((17, 3))
    for keypoint, values in enumerate(maps):
        y, x = np.unravel_index(values.argmax(), values.shape)
        peak = values[y, x]
        if peak <= 0:
            x = y = 0
        dx = dy = 0.0
        if 1 < x < 15 and 1 < y < 15:
            dx = 0.25 * np.sign(values[y, x + 1] - values[y, x - 1])
            dy = 0.25 * np.sign(values[y + 1, x] - values[y - 1, x])
        keypoints[keypoint] = ((x + dx) * 4, (y + dy) * 4, peak)
    return keypoints


def simdr_keypoints(representation: str, view: list[np.ndarray], flipped: list[np.ndarray] | None) -> np.ndarray:
    """(17, 3): crop px and confidence (E2 to E5)."""
    keypoints = np.zeros((17, 3))
    if flipped is not None:
        other_x, other_y = swap_pairs(flipped[0][:, ::-1]), swap_pairs(flipped[1])
        other_x[:, :-1] = other_x[:, 1:].copy()
    for keypoint in range(17):
        axes = [view[0][keypoint], view[1][keypoint]]
        if flipped is not None:
            others = [other_x[keypoint], other_y[keypoint]]
            if representation == "simdr":
                axes = [(softmax(a) + softmax(b)) / 2 for a, b in zip(axes, others, strict=True)]
            else:
                axes = [softmax((a + b) / 2) for a, b in zip(axes, others, strict=True)]
        else:
            axes = [softmax(a) for a in axes]
        confidence = (max if representation == "simdr" else min)(axes[0].max(), axes[1].max())
        keypoints[keypoint] = (*(axis.argmax() / SPLIT_RATIO[representation] for axis in axes), confidence)
    return keypoints


def oks(one: dict, two: dict) -> float:
    total = 0.0
    for keypoint in range(17):
        squared = sum((one["joints"][keypoint][axis] - two["joints"][keypoint][axis]) ** 2 for axis in (0, 1))
        total += np.exp(-squared / (2 * SIGMAS[keypoint]) ** 2 / ((one["area"] + two["area"]) / 2) / 2)
    return total / 17


def keep_best(instances: list[dict]) -> list[dict]:
    """Greedy suppression above an OKS of 0.9 (E12)."""
    left, kept = [instances[index] for index in np.argsort([instance["score"] for instance in instances])[::-1]], []
    while left:
        best = left.pop(0)
        kept.append(best)
        left = [instance for instance in left if oks(best, instance) <= 0.9]
    return kept


def predict(model, representation: str, boxes, images: dict[int, Path], *, flip: bool) -> list[dict]:
    """Instances of all images after rescoring and suppression (E8 to E12)."""
    by_image: dict[int, list[dict]] = {}
    for image_id, box, box_score in boxes:
        image = cv2.imread(str(images[image_id]), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        pixels, center, side = crop(image, box)  # SimBa's networks see BGR (D18)
        view = forward(model, pixels)
        flipped = forward(model, pixels[:, :, ::-1]) if flip else None
        if representation == "heatmap":
            keypoints = heatmap_keypoints(view, flipped)
        else:
            keypoints = simdr_keypoints(representation, view, flipped)
        keypoints[:, :2] = center + (keypoints[:, :2] - SIZE / 2) * side / SIZE
        seen = [confidence for confidence in keypoints[:, 2] if confidence > THRESHOLD[representation]]
        score = box_score * (sum(seen) / len(seen) if seen else 0.0)
        by_image.setdefault(image_id, []).append(
            {"image_id": image_id, "joints": keypoints, "score": score, "area": side * side}
        )
    return [instance for instances in by_image.values() for instance in keep_best(instances)]


def detector_boxes(truth: dict, file: Path) -> list[tuple[int, list[float], float]]:
    """Annotated boxes shaken, some twice, as a detector gives them; also written as its file."""
    rng = np.random.default_rng(0)
    boxes = [
        (image_id, [float(v) for v in np.array(box) + rng.normal(0, 4, 4) + [0, 0, 20, 20]], float(rng.random()))
        for image_id, box, _ in annotated_boxes(truth) * 2
    ]
    entries = [{"image_id": image_id, "category_id": 1, "bbox": box, "score": score} for image_id, box, score in boxes]
    file.write_text(json.dumps(entries))
    return boxes


def dataset_folder(name: str, data_root: Path) -> tuple[Path, str]:
    return (data_root / "synthetic", "val16") if name == "synthetic" else (shared_data("coco_mini"), "val2017")


@pytest.mark.parametrize("dataset", ["synthetic", "coco"])
@pytest.mark.parametrize(
    ("representation", "flip", "boxes"),
    [("heatmap", True, "gt"), ("simdr", True, "detector"), ("simdr_star", True, "gt"), ("simdr", False, "gt")],
)
def test_eval_predicts_what_the_protocol_says(
    tmp_path: Path, data_root: Path, dataset: str, representation: str, flip: bool, boxes: str
) -> None:
    folder, split = dataset_folder(dataset, data_root)
    truth = json.loads((folder / "annotations" / f"person_keypoints_{split}.json").read_text())
    torch.manual_seed(0)
    split_ratio = SPLIT_RATIO.get(representation)
    model = build_model(BACKBONE, representation, keypoints=17, input_size=(SIZE, SIZE), split_ratio=split_ratio)
    initialize(model, scheme="kaiming")
    torch.nn.init.normal_(model.final_layer.weight, std=0.1)  # outputs far enough apart that rounding decides nothing
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    model.eval()

    images = {image["id"]: folder / "images" / split / image["file_name"] for image in truth["images"]}
    box_file = tmp_path / "boxes.json"
    given = annotated_boxes(truth) if boxes == "gt" else detector_boxes(truth, box_file)
    wanted = predict(model, representation, given, images, flip=flip)

    options = f"eval --backbone {BACKBONE} --representation {representation} --input-size {SIZE}x{SIZE}"
    options += f" --dataset {dataset} --split {split} --boxes {'gt' if boxes == 'gt' else box_file}"
    options += f" --{'' if flip else 'no-'}flip-test --dataset-dir {folder}"
    options += f" --checkpoint {tmp_path / 'weights.pt'} --out {tmp_path / 'out'}"
    done = CliRunner().invoke(app, options.split())
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out" / "predictions.json").read_text())

    assert [instance["image_id"] for instance in found] == [instance["image_id"] for instance in wanted]
    np.testing.assert_allclose(
        [instance["score"] for instance in found], [instance["score"] for instance in wanted], atol=1e-5
    )
    for instance, expected in zip(found, wanted, strict=True):
        keypoints = np.array(instance["keypoints"]).reshape(17, 3)
        np.testing.assert_allclose(keypoints[:, :2], expected["joints"][:, :2], atol=0.05)
        np.testing.assert_allclose(keypoints[:, 2], expected["joints"][:, 2], atol=1e-5)
