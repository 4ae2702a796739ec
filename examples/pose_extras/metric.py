"""The metric `mean_error`: how far keypoints are from the truth, for instances rather than for rankings."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bench.extend import metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.pose.scoring import OksScoring


@metric(
    "mean_error",
    title="error (% of size)",
    protocols=["coco", "crowdpose"],
    decimals=1,
    noticeable=0.5,
    lower_is_better=True,
)
def mean_error(results: Sequence[dict[str, Any]], scoring: OksScoring) -> float | None:
    """Mean distance of labelled keypoints from those of the nearest instance predicted in the image, in % of the size.

    An instance's size is the square root of the area; one in whose image nobody was found is 100 % off. None where no
    instance has labelled keypoints: there is nobody to judge.
    """
    found: dict[int, list[npt.NDArray[np.float64]]] = defaultdict(list)
    for result in results:
        found[result["image_id"]].append(np.reshape(result["keypoints"], (-1, 3))[:, :2])
    errors = []
    for instance in scoring.annotations["annotations"]:
        truth = np.reshape(instance["keypoints"], (-1, 3))
        labelled = truth[:, 2] > 0
        if labelled.any():
            distances = [
                np.linalg.norm(one - truth[:, :2], axis=1)[labelled].mean() for one in found[instance["image_id"]]
            ]
            size = max(float(instance["area"]), 1.0) ** 0.5
            errors.append(100 * min(distances) / size if distances else 100.0)
    return float(np.mean(errors)) if errors else None
