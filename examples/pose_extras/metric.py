"""The metric `mean_error`: how far joints are from the truth, for people rather than for rankings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.extend import metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.pose.scoring import OksScoring


@metric("mean_error", title="error (% of size)", protocols=["coco", "crowdpose"], decimals=1, noticeable=0.5)
def mean_error(results: Sequence[dict[str, Any]], scoring: OksScoring) -> float:
    """Mean distance of labelled joints from those of the best scored person of the image, in % of the person's size.

    The size is the square root of the area; a person in whose image nobody was found is 100 % off.
    """
    best: dict[int, dict[str, Any]] = {}
    for result in sorted(results, key=lambda result: result["score"]):
        best[result["image_id"]] = result
    errors = []
    for person in scoring.annotations["annotations"]:
        truth = np.reshape(person["keypoints"], (-1, 3))
        labelled = truth[:, 2] > 0
        if not labelled.any():
            continue
        if person["image_id"] not in best:
            errors.append(100.0)
            continue
        found = np.reshape(best[person["image_id"]]["keypoints"], (-1, 3))
        distances = np.linalg.norm(found[labelled, :2] - truth[labelled, :2], axis=1)
        errors.append(100 * float(distances.mean()) / max(float(person["area"]), 1.0) ** 0.5)
    return float(np.mean(errors)) if errors else 100.0
