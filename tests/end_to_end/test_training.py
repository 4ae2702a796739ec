"""The training loop from Python: which weights it keeps, and how it stops."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from bench.pose.checkpoints import load_file
from bench.pose.codecs.representation import build_codec, codec_settings
from bench.pose.data.augmentation import Augmentation
from bench.pose.data.crops import CropSettings
from bench.pose.data.datasets import open_split
from bench.pose.models.build import build_model, initialize
from bench.pose.skeletons import COCO_17
from bench.pose.training import OptimizerConfig, Training, TrainingError

SIZE = (64, 64)
EPOCHS = 4


def training(
    data_root: Path,
    validate: Callable[[nn.Module], float] | None = None,
    rate: float = 1e-3,
    representation: str = "heatmap",
) -> Training:
    torch.manual_seed(0)
    model = build_model("simba_tiny", representation, keypoints=17, input_size=SIZE)
    initialize(model, scheme="kaiming")
    return Training(
        model=model,
        codec=build_codec(codec_settings(representation, SIZE, sigma=1.0), COCO_17.flip_indices),
        instances=open_split("synthetic", data_root / "synthetic", "val16").instances(),
        crops=CropSettings(SIZE, "rgb", COCO_17),
        augmentation=Augmentation(),
        settings=OptimizerConfig(
            epochs=EPOCHS,
            batch_size=8,
            learning_rate=rate,
            learning_rate_factor=0.1,
            milestones=(),
            milestone_timing="exact",
            warmup_steps=0,
            seed=0,
        ),
        device=torch.device("cpu"),
        validate=validate,
    )


def never(_progress: object) -> bool:
    return False


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_best_weights_are_kept_and_the_later_of_equals(data_root: Path) -> None:
    scores, seen = iter([0.3, 0.5, 0.5, 0.2]), []

    def validate(model: nn.Module) -> float:
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return next(scores)

    run = training(data_root, validate)
    assert run.run(never, save=lambda: None)
    assert [entry["validation"] for entry in run.history] == [0.3, 0.5, 0.5, 0.2]
    assert same(run.weights, seen[2])
    assert not same(run.weights, seen[1])


def test_validation_does_not_disturb_training(data_root: Path) -> None:
    def validate(model: nn.Module) -> float:
        model.eval()(torch.zeros(1, 3, *SIZE))
        return 0.0

    watched, blind = training(data_root, validate), training(data_root)
    for run in (watched, blind):
        run.run(never, save=lambda: None)
    assert same(watched.model.state_dict(), blind.model.state_dict())


def test_a_loss_that_is_not_finite_ends_training_with_the_images_named(data_root: Path) -> None:
    run = training(data_root)
    with torch.no_grad():
        run.model.final_layer.weight.fill_(math.inf)
    with pytest.raises(TrainingError, match=r"loss is (nan|inf) at epoch 0, step 0; the batch's images: .*\.jpg"):
        run.run(never, save=lambda: None)


@pytest.mark.parametrize("representation", ["heatmap", "rle"])
def test_resumed_from_a_file_it_ends_with_the_same_bits(data_root: Path, tmp_path: Path, representation: str) -> None:
    """So does what the loss trains beside the network: the flow of RLE."""
    whole, first, second = (training(data_root, representation=representation) for _ in range(3))
    whole.run(never, save=lambda: None)
    stops = iter([False, False, False, True])
    assert not first.run(lambda _progress: next(stops), save=lambda: None)
    assert first.position == (2, 0)
    torch.save(first.state_dict(), tmp_path / "state.pt")
    second.load_state_dict(load_file(tmp_path / "state.pt"))
    assert second.run(never, save=lambda: None)
    assert same(second.weights, whole.weights)
    assert same(second.state_dict()["loss_module"], whole.state_dict()["loss_module"])
    assert second.history == whole.history


def test_the_flow_of_rle_is_trained_and_is_no_part_of_the_network(data_root: Path) -> None:
    run = training(data_root, representation="rle")
    before = {name: value.clone() for name, value in run.state_dict()["loss_module"].items()}
    run.run(never, save=lambda: None)
    after = run.state_dict()["loss_module"]
    assert sum(value.numel() for name, value in after.items() if name[0] in "st") == 6 * 2 * (64 * 3 + 64 * 65 + 2 * 65)
    assert all(not torch.equal(value, before[name]) for name, value in after.items() if name[0] in "st")
    assert not [name for name in run.weights if "flow" in name]
