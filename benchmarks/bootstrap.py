"""What a bootstrap over images costs: 1,000 resamples of made-up results as large as COCO val's.

    python -m benchmarks.bootstrap

CPU seconds of one core, for AP alone and for all ten statistics, against their bounds; the second size is that of the
published detections. Ends 1 if a bound is missed.
"""

from __future__ import annotations

import platform
import sys
import time
from dataclasses import dataclass

import numpy as np
from tabulate import tabulate

from bench.pose.metrics.oks_per_instance import OKS_THRESHOLDS, STATISTICS, OksPerInstance
from bench.pose.metrics.per_instance import save_per_instance

RESAMPLES = 1000
IMAGES, INSTANCES = 5_000, 6_352


@dataclass(frozen=True)
class Size:
    """How many predictions there are, and the seconds that their resamples may take."""

    name: str
    detections: int
    bound: float


SIZES = (Size("annotated boxes and as many again", 12_000, 2.5), Size("published detections", 104_125, 3.5))


def made_up(detections: int, seed: int = 0) -> OksPerInstance:
    """Per-instance results in which most instances are found, less and less of them as the threshold rises.

    Instances differ in how precisely they are found. Half of them are medium and half are large; what is not matched
    has either size at random.
    """
    rng = np.random.default_rng(seed)
    instances = rng.integers(0, IMAGES, INSTANCES)
    found = rng.permutation(INSTANCES)[: int(0.95 * INSTANCES)]
    images = np.concatenate([instances[found], rng.integers(0, IMAGES, detections - len(found))])
    precision = np.concatenate([rng.beta(8, 2, len(found)), np.zeros(detections - len(found))])
    score = np.where(precision > 0, rng.beta(5, 2, detections), rng.beta(2, 5, detections))
    order = np.argsort(-score)
    large = rng.random(INSTANCES) < 0.5
    is_large = np.concatenate([large[found], rng.random(detections - len(found)) < 0.5])[order]
    matched = precision[order] >= np.array(OKS_THRESHOLDS)[:, None]
    ignored = np.stack([np.broadcast_to(mask, matched.shape) for mask in (is_large & False, is_large, ~is_large)])
    counts = [np.bincount(instances[mask], minlength=IMAGES) for mask in (large | True, ~large, large)]
    return OksPerInstance(
        protocol="coco",
        image_ids=np.arange(IMAGES),
        detections=images[order],
        matched=np.stack([matched] * 3),
        ignored=ignored,
        instances=np.stack(counts),
        best_oks=rng.beta(8, 2, INSTANCES),
        best_images=instances,
        groups=np.zeros((0, IMAGES), dtype=bool),
    )


def cpu_seconds(per_instance: OksPerInstance, metrics: tuple[str, ...]) -> float:
    """CPU seconds of all resamples, drawing them left out."""
    draws = np.random.default_rng(1).integers(0, per_instance.units, (RESAMPLES, per_instance.units))
    counts = np.stack([np.bincount(draw, minlength=per_instance.units) for draw in draws])
    before = time.process_time()
    per_instance.resample(counts, metrics)
    return time.process_time() - before


def main() -> None:
    """Print a table of sizes by metrics."""
    rows, missed = [], False
    for size in SIZES:
        per_instance = made_up(size.detections)
        one, all_ten = (cpu_seconds(per_instance, names) for names in (("AP",), tuple(STATISTICS["coco"])))
        kilobytes = len(save_per_instance(per_instance)) / 1000
        rows.append((size.name, size.detections, one, all_ten, size.bound, kilobytes))
        missed |= max(one, all_ten) > size.bound
    print(f"{platform.platform()}, Python {platform.python_version()}, numpy {np.__version__}, {RESAMPLES} resamples")
    headers = ("size", "detections", "AP, s", "all ten, s", "bound, s", "file, kB")
    print(tabulate(rows, headers=headers, floatfmt=".2f", intfmt=","))
    sys.exit(missed)


if __name__ == "__main__":
    main()
