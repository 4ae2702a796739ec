"""A whole evaluation at 256x192, from image files to AP with the network, against the plain path.

    python -m benchmarks.evaluation [--instances 200] [--backbone simba_tiny] [--threads 2] [--rounds 3]

Figures in images of 480x640 px, one each. Our images are packed, which is not counted. The plain way decodes, crops and
normalizes one instance after the other, gives the network one view after the other, and decodes keypoint by keypoint in
NumPy. Suppression and pycocotools are the same in both. Wall seconds, in turn. Both must find the same AP. Ends 1 if
they do not.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tabulate import tabulate
from torch import Tensor, nn

from bench.pose.codecs.representation import codec_settings
from bench.pose.data.datasets import open_split
from bench.pose.data.instances import Instance
from bench.pose.data.pixels.packed import PackedImages
from bench.pose.data.pixels.packing import plan_packing
from bench.pose.data.synthetic import SyntheticSet, generate
from bench.pose.evaluation import EvalConfig, Evaluator
from bench.pose.machine import keep_freed_memory
from bench.pose.metrics.predictions import Predictions, round_keypoints
from bench.pose.models.build import build_model, initialize
from bench.pose.scoring import split_scoring
from benchmarks import plain
from benchmarks.measuring import compare, machine, seconds

SIZE, BATCH, SPLIT_RATIO = (256, 192), 32, 2.0
CODECS = {
    "heatmap": codec_settings("heatmap", SIZE, sigma=2.0, weight_bounds="reference", post_process="quarter"),
    "simdr": codec_settings("simdr", SIZE, split_ratio=SPLIT_RATIO, label_smoothing=0.1, loss_reduction="sum"),
}
CPU = torch.device("cpu")


class PlainEvaluation:
    """Instances in order, view by view, keypoint by keypoint."""

    def __init__(self, evaluator: Evaluator, model: nn.Module) -> None:
        self._evaluator, self._model = evaluator, model

    @torch.no_grad()
    def ap(self) -> float:
        evaluator = self._evaluator
        everyone = evaluator.instances
        batches = [self._keypoints(everyone[begin : begin + BATCH]) for begin in range(0, len(everyone), BATCH)]
        crops = [instance.crop(SIZE) for instance in evaluator.instances]
        predictions = Predictions(
            image_ids=np.array([instance.image_id for instance in evaluator.instances]),
            keypoints=round_keypoints(np.concatenate(batches)),
            centers=np.stack([center for center, _ in crops]),
            scales=np.stack([scale for _, scale in crops]),
            box_scores=np.ones(len(crops)),
        )
        results = evaluator.config.score(predictions, evaluator.scoring)
        return evaluator.scoring.metrics(results)["AP"] or 0.0

    def _keypoints(self, instances: Sequence[Instance]) -> Any:
        samples = [plain.sample(one, (0, 0), self._evaluator.crops, plain.UNAUGMENTED)[0] for one in instances]
        images = torch.from_numpy(np.stack(samples))
        views = [self._model(images), self._model(images.flip(-1))]
        centers, scales = (np.stack(part) for part in zip(*(one.crop(SIZE) for one in instances), strict=True))
        crops = plain.Crops(centers, scales, SIZE, list(self._evaluator.split.skeleton.flip_indices))
        if isinstance(views[0], Tensor):
            return plain.heatmap_keypoints(views[0].numpy(), views[1].numpy(), crops)
        x, y = (tuple(view[axis].numpy() for view in views) for axis in (0, 1))
        return plain.simdr_keypoints(x, y, crops, SPLIT_RATIO)


def network(backbone: str, representation: str) -> nn.Module:
    torch.manual_seed(0)
    form: dict[str, Any] = {"keypoints": 17, "input_size": SIZE}
    form |= {"split_ratio": SPLIT_RATIO} if representation == "simdr" else {}
    model = build_model(backbone, representation, **form)
    initialize(model, scheme="kaiming")
    return model.eval()


def measure(evaluator: Evaluator, model: nn.Module, rounds: int) -> list[Any]:
    found: dict[str, float] = {}

    def ours() -> None:
        result = evaluator.evaluate(model, device=CPU)
        assert result is not None, "a single process has the result"
        found["ours"] = result.metrics["AP"] or 0.0

    def plainly() -> None:
        found["plain"] = PlainEvaluation(evaluator, model).ap()

    compared = compare(plainly, ours, rounds=rounds, clock=time.perf_counter)
    assert abs(found["ours"] - found["plain"]) < 2e-3, f"both ways must find the same AP: {found}"
    instances = len(evaluator.instances)
    batch = torch.rand(2 * BATCH, 3, *SIZE).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        model(batch)
        alone = seconds(lambda: model(batch), 3, time.perf_counter) * instances / BATCH
    name = evaluator.config.codec.representation
    return [name, instances / compared.plain, instances / compared.ours, compared.ratio, alone / compared.ours]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instances", type=int, default=200)
    parser.add_argument("--backbone", default="simba_tiny")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as temporary:
        folder, split_name = Path(temporary), "drawn"
        # Opened as COCO's: the synthetic data set itself has smaller images.
        generate(folder, split_name, SyntheticSet(arguments.instances, seed=0, image_size=(480, 640)))
        split = open_split("coco", folder, split_name)
        packed = PackedImages(folder / "packed", folder / "images" / split_name)
        plan_packing(packed.folder, packed.images, split.instances()).run(lambda _: None)
        rows = []
        for name, codec in CODECS.items():
            config = EvalConfig(codec, "rgb", None, True, 0.0, 0.9, BATCH)
            evaluator = Evaluator(split, config, split.instances(), split_scoring(split), packed)
            rows.append(measure(evaluator, network(arguments.backbone, name), arguments.rounds))
    print(f"{machine()}; {arguments.backbone}, {arguments.instances} instances")
    headers = ("256x192", "plain, 1/s", "ours, 1/s", "ratio", "network's share of ours")
    print(tabulate(rows, headers=headers, floatfmt=("", ",.0f", ",.0f", ".2f", ".0%")))


if __name__ == "__main__":
    main()
