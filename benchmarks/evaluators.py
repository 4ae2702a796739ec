"""What evaluating by OKS costs: pycocotools, and the quick evaluator that scores trainings after every epoch.

    python -m benchmarks.evaluators

Made-up predictions as many as COCO val's, evaluated by each in turn, several times; medians of seconds. Ends 1 if the
quick evaluator is not five times pycocotools, or if a statistic differs.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from statistics import median
from typing import Any

import numpy as np
from tabulate import tabulate

from bench.pose.metrics.evaluators import OKS_PROTOCOLS
from bench.pose.metrics.predictions import Predictions
from bench.pose.scoring import OksScoring
from bench.pose.skeletons import COCO_17

REPETITIONS = 5
BOUND = 5.0
"""Times pycocotools that the quick evaluator has to reach."""

TOLERANCE = 1e-9
"""By which statistics may differ."""

IMAGES, DETECTIONS = 5_000, 12_000
INSTANCES, OTHERS = 6_352, 4_652
"""Annotated instances who count, and others, in crowds or without a labelled keypoint; as in COCO val."""

PLACES = 2_346
"""Images with instances who count."""


def made_up(seed: int = 0) -> tuple[dict[str, Any], Predictions]:
    """Annotations, and predictions of most instances, more or less precise, of some again, and of some elsewhere."""
    rng = np.random.default_rng(seed)
    images = rng.choice(IMAGES, PLACES, replace=False)
    images = np.concatenate([images, rng.choice(images, INSTANCES + OTHERS - PLACES)])
    sizes = np.exp(rng.normal(4.3, 0.7, len(images)))[:, None]
    corners = rng.uniform(0, 400, (len(images), 2))
    keypoints = corners[:, None] + rng.uniform(0, 1, (len(images), COCO_17.size, 2)) * sizes[:, None]
    labels = rng.choice(3, (len(images), COCO_17.size), p=(0.3, 0.1, 0.6))
    labels[INSTANCES:] = 0
    annotations = {
        "images": [{"id": number} for number in range(IMAGES)],
        "annotations": [
            {
                "id": instance + 1,
                "image_id": int(images[instance]),
                "category_id": 1,
                "bbox": [*corners[instance].tolist(), *sizes[instance].tolist(), *sizes[instance].tolist()],
                "area": float(0.6 * sizes[instance, 0] ** 2),
                "iscrowd": int(instance >= INSTANCES and instance % 20 == 0),
                "num_keypoints": np.count_nonzero(labels[instance]),
                "keypoints": np.column_stack([keypoints[instance], labels[instance]]).ravel().tolist(),
            }
            for instance in range(len(images))
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_17.keypoints)}],
    }
    found = rng.permutation(INSTANCES)[: int(0.95 * INSTANCES)]
    found = np.concatenate([found, rng.integers(0, len(images), DETECTIONS - len(found))])
    found = found[np.argsort(images[found], kind="stable")]
    elsewhere = rng.random(DETECTIONS) < 0.3
    error = rng.gamma(1.5, 0.025, (DETECTIONS, 1, 1)) * sizes[found, None]
    points = keypoints[found] + rng.normal(0, 1, (DETECTIONS, COCO_17.size, 2)) * error
    points += rng.uniform(-100, 100, (DETECTIONS, 1, 2)) * elsewhere[:, None, None]
    confidence = rng.beta(5, 2, (DETECTIONS, COCO_17.size, 1)) * np.where(elsewhere, 0.5, 1)[:, None, None]
    return annotations, Predictions(
        image_ids=images[found],
        keypoints=np.concatenate([points, confidence], axis=-1, dtype=np.float32),
        centers=corners[found] + sizes[found] / 2,
        scales=np.repeat(sizes[found] * 1.25 / 200, 2, axis=1),
        box_scores=rng.uniform(0.3, 1, DETECTIONS),
    )


def seconds(measure: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall seconds of one call."""
    cpu, wall = time.process_time(), time.perf_counter()
    measure()
    return time.process_time() - cpu, time.perf_counter() - wall


def main() -> None:
    """Print what each takes, and how far they are apart."""
    annotations, predictions = made_up()
    protocol = OKS_PROTOCOLS["coco"]
    scoring = OksScoring(annotations, COCO_17, protocol)
    # Nobody is suppressed, so that all detections are evaluated.
    results = scoring.results(predictions, score_threshold=0.2, nms_threshold=1.0)
    expected, found = scoring.metrics(results), scoring.quick_metrics(results)
    measures: dict[str, Callable[[], object]] = {
        "pycocotools": lambda: scoring.metrics(results),
        "quick, the first time": lambda: OksScoring(annotations, COCO_17, protocol).quick_metrics(results),
        "quick, from then on": lambda: scoring.quick_metrics(results),
        "predictions to results": lambda: scoring.results(predictions, score_threshold=0.2, nms_threshold=0.9),
    }
    times = [[seconds(measure) for measure in measures.values()] for _ in range(REPETITIONS)]
    rows = [
        (name, *map(median, zip(*runs, strict=True)))
        for name, runs in zip(measures, zip(*times, strict=True), strict=True)
    ]
    faster = rows[0][1] / rows[1][1]
    difference = max(abs((expected[name] or 0) - (found[name] or 0)) for name in found)
    libraries = f"numpy {np.__version__}, pycocotools {version('pycocotools')}"
    print(f"{platform.platform()}, Python {platform.python_version()}, {libraries}, median of {REPETITIONS} runs")
    print(f"{IMAGES:,} images, {INSTANCES:,} instances who count, {len(results):,} detections, AP {expected['AP']:.3f}")
    print(tabulate(rows, headers=("", "CPU s", "wall s"), floatfmt=".3f"))
    print(f"{faster:.1f} times pycocotools, bound {BOUND:g}; largest difference {difference:.1e}, bound {TOLERANCE:g}")
    sys.exit(faster < BOUND or difference > TOLERANCE)


if __name__ == "__main__":
    main()
