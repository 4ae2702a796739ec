"""Training and predicting in several processes: the same as in one, up to rounding."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributed import HashStore

from bench.pose.codecs.representation import codec_settings
from bench.pose.data.crops import CropSettings
from bench.pose.data.datasets import open_split
from bench.pose.data.instances import Instance
from bench.pose.evaluation import EvalConfig, Evaluator
from bench.pose.inference import predict
from bench.pose.models.batch_norm import ReplicaBatchNorm2d, distribute
from bench.pose.models.build import build_model, initialize
from bench.pose.parallel import SINGLE_PROCESS, ProcessGroup, ProcessGroupError, init_process_group
from bench.pose.skeletons import COCO_17
from bench.pose.training import Progress, Training, TrainingError
from tests.unit.process_groups import CODECS, CPU, SIZE, Doubled, instances, together, training
from tests.unit.tiny_datasets import crowdpose

COUNT = 11
"""Instances of a training: a batch of 8 and one of 3, of which some processes have nothing."""

DIVISIONS = {
    "synchronised": (1, 2),
    "synchronised in four": (1, 4),
    "two replicas in four": (2, 4),
    "a replica each": (4, 4),
    "several replicas each": (4, 2),
}
"""Replicas and processes."""


def never(_progress: object) -> bool:
    return False


def nothing() -> None: ...


def outcome(run: Training, watch: Callable[[Progress], bool] = never) -> dict[str, Any]:
    """Train and tell all that came of it."""
    losses, saves = [], []

    def follow(progress: Progress) -> bool:
        losses.append(progress.loss)
        return watch(progress)

    finished = run.run(follow, save=lambda: saves.append(run.state_dict()))
    return {
        "finished": finished,
        "position": tuple(run.position),
        "losses": losses,
        "history": run.history,
        "broken": run.broken,
        "weights": run.weights,
        "parameters": [one.detach() for one in run.model.parameters()],
        "saves": len(saves),
        "state": run.state_dict(),
    }


def assert_close(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Double precision throughout, so that only what is wrong makes more of a difference than rounding."""
    assert found["losses"] == pytest.approx(expected["losses"], rel=1e-11)
    for one, other in zip(found["history"], expected["history"], strict=True):
        assert one == pytest.approx(other, rel=1e-11)
    assert found["weights"].keys() == expected["weights"].keys()
    for name, weight in expected["weights"].items():
        torch.testing.assert_close(found["weights"][name], weight, rtol=1e-7, atol=1e-8, msg=name)
    assert found["broken"] == expected["broken"]


def same(one: Any, other: Any) -> bool:
    """Whether nested values are the same to the bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return torch.equal(one, other) if isinstance(one, Tensor) else one == other


# Training.


def train_each(group: ProcessGroup, someone: list[Instance], replicas: int) -> list[dict[str, Any]]:
    return [outcome(training(someone, name, replicas=replicas, group=group)) for name in CODECS]


@pytest.mark.parametrize(("replicas", "size"), DIVISIONS.values(), ids=DIVISIONS)
def test_a_group_trains_as_one_process_does(replicas: int, size: int, tmp_path: Path) -> None:
    someone = instances(tmp_path, COUNT)
    first, *others = together(train_each, size, someone, replicas)
    for found, expected in zip(first, train_each(SINGLE_PROCESS, someone, replicas), strict=True):
        assert_close(found, expected)
    for member in others:
        for found, leader in zip(member, first, strict=True):
            assert same(found["parameters"], leader["parameters"])
            assert (found["losses"], found["history"]) == (leader["losses"], leader["history"])


def first_gradients(group: ProcessGroup, someone: list[Instance]) -> Tensor:
    """In single precision, of the only batch."""
    run = training(someone[:8], replicas=2, group=group, double=False, epochs=1)
    assert run.run(never, save=nothing)
    return torch.cat([one.grad.flatten() for one in run.model.parameters()])


def test_gradients_in_single_precision(tmp_path: Path) -> None:
    someone = instances(tmp_path, COUNT)
    expected = first_gradients(SINGLE_PROCESS, someone)
    for found in together(first_gradients, 4, someone):
        # Rounding, which may flip a ReLU. In one process, weights moved by a millionth have been seen to make 1e-3.
        assert (found - expected).norm() < 5e-3 * expected.norm()


def test_broken_images_count_as_in_one_process(tmp_path: Path) -> None:
    someone = instances(tmp_path, COUNT)
    for number in (1, 4, 5, 8, 9):
        someone[number].image.write_text("no image")
    first, other = together(train_small, 2, someone)
    expected = train_small(SINGLE_PROCESS, someone)
    assert len(expected["broken"]) == 5
    assert_close(first, expected)
    assert other["broken"] == expected["broken"], "every process can resume"


def train_small(group: ProcessGroup, someone: list[Instance]) -> dict[str, Any]:
    """Batches so small that whole shares and batches cannot be read."""
    return outcome(training(someone, group=group, batch_size=2))


def train_to_stop(group: ProcessGroup, someone: list[Instance], stopper: int) -> dict[str, Any]:
    run = training(someone, group=group, double=False)
    return outcome(run, lambda progress: group.rank == stopper and progress.position == (0, 1))


def test_the_wish_of_any_process_stops_all_after_the_same_step(tmp_path: Path) -> None:
    found = together(train_to_stop, 2, instances(tmp_path, COUNT), 1)
    assert [one["finished"] for one in found] == [False, False]
    assert [one["position"] for one in found] == [(1, 0), (1, 0)]
    assert [one["saves"] for one in found] == [1, 0]


def score(model: nn.Module) -> float:
    """Of a model as it is evaluated."""
    with torch.no_grad():
        return float(model.eval()(torch.ones(1, 3, *SIZE)).x.sum())


def train_scored(
    group: ProcessGroup, someone: list[Instance], state: dict[str, Any] | None, stop: bool
) -> dict[str, Any]:
    """With a checkpoint that only rank 0 has, and its score the only one."""
    run = training(
        someone, replicas=2, group=group, validate=lambda model: None if group.rank else score(model), epochs=3
    )
    if state is not None and group.rank == 0:
        run.load_state_dict(state)
    return outcome(run, lambda progress: stop and progress.position == (1, 1))


def test_resumed_with_rank_0_s_checkpoint_a_group_ends_with_the_same_bits(tmp_path: Path) -> None:
    someone = instances(tmp_path, COUNT)
    someone[3].image.write_text("no image")
    whole = together(train_scored, 2, someone, None, False)
    stopped = together(train_scored, 2, someone, None, True)
    assert stopped[0]["position"] == (2, 0)
    resumed = together(train_scored, 2, someone, stopped[0]["state"], False)
    for one, other in zip(resumed, whole, strict=True):
        for name in ("weights", "history", "broken", "parameters"):
            assert same(one[name], other[name]), name


def test_the_best_weights_are_chosen_by_rank_0_with_its_statistics(tmp_path: Path) -> None:
    someone = instances(tmp_path, COUNT)
    first, other = together(train_scored, 2, someone, None, False)
    assert_close(first, train_scored(SINGLE_PROCESS, someone, None, False))
    assert len({entry["validation"] for entry in first["history"]}) == 3
    assert same(first["weights"], other["weights"])


def train_overflowing(group: ProcessGroup, someone: list[Instance]) -> None:
    run = training(someone, replicas=2, group=group)
    if group.rank == 0:  # whose state is everybody's
        with torch.no_grad():
            next(run.model.parameters()).fill_(math.inf)
    run.run(never, save=nothing)


def test_a_loss_that_is_not_finite_ends_training_everywhere(tmp_path: Path) -> None:
    found = together(train_overflowing, 2, instances(tmp_path, 4))
    message = "the loss is nan at epoch 0, step 0; the batch's images: " + ", ".join(
        f"{number}.png (instance {number})" for number in range(4)
    )
    assert [(type(error), str(error)) for error in found] == [(TrainingError, message)] * 2


def test_a_model_that_is_not_built_for_the_group_is_refused() -> None:
    two = ProcessGroup(0, 2)
    with pytest.raises(ValueError, match="2 processes cannot divide a batch of 3 replicas evenly"):
        distribute(build_model("simba_tiny", "heatmap", keypoints=17, input_size=SIZE, replicas=3, world_size=2), two)
    with pytest.raises(ValueError, match="BatchNorm layers for one process; build it for the group's size"):
        distribute(build_model("simba_tiny", "heatmap", keypoints=17, input_size=SIZE), two)


# Batch normalization of a divided part.

CHANNELS = 5


def values(dtype: torch.dtype, seed: int) -> Tensor:
    """With a mean that is large against the deviation."""
    return torch.randn(7, CHANNELS, 3, 4, dtype=dtype, generator=torch.Generator().manual_seed(seed)) * 2 + 30


def normalize(group: ProcessGroup, dtype: torch.dtype, edges: list[int]) -> dict[str, Tensor]:
    """Two batches, with the gradients of the second."""
    layer = ReplicaBatchNorm2d(CHANNELS, replicas=1).to(dtype)
    distribute(layer, group)
    mine = slice(edges[group.rank], edges[group.rank + 1])
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(0.5, 2, CHANNELS))
        layer.bias.copy_(torch.linspace(-1, 1, CHANNELS))
    layer(values(dtype, 0)[mine])
    images = values(dtype, 1)[mine].clone().requires_grad_()
    output = layer(images)
    (output * values(dtype, 2)[mine].sin()).sum().backward()
    return {
        "output": output.detach(),
        "images": images.grad,
        "weight": layer.weight.grad,
        "bias": layer.bias.grad,
        **dict(layer.named_buffers()),
    }


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-12)], ids=str)
def test_a_divided_part_is_normalized_as_a_whole(dtype: torch.dtype, tolerance: float) -> None:
    shares = together(normalize, 3, dtype, [0, 4, 4, 7])
    expected = normalize(SINGLE_PROCESS, dtype, [0, 7])
    found = {name: torch.cat([share[name] for share in shares]) for name in ("output", "images")}
    found |= {name: sum(share[name] for share in shares) for name in ("weight", "bias")}
    found |= {name: shares[1][name] for name in ("running_mean", "running_var", "num_batches_tracked")}
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=tolerance, atol=tolerance, msg=name)


def gradients(group: ProcessGroup, backbone: str) -> Tensor:
    """Of a batch that rank 0 has all of."""
    torch.manual_seed(0)
    model = build_model(
        backbone, "simdr", keypoints=17, input_size=SIZE, split_ratio=2.0, replicas=1, world_size=group.size
    )
    initialize(model, scheme="kaiming")
    distribute(model, group)
    images = torch.randn(3, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    output = Doubled(model)(images[: 0 if group.rank else 3])
    (output.x.square().sum() + output.y.square().sum()).backward()
    return group.all_reduce(torch.cat([one.grad.flatten() for one in model.parameters() if one.requires_grad]))


@pytest.mark.parametrize("backbone", ["hrnet_w32", "tokenpose_s", "simba_res50_upsample_free"])
def test_every_network_takes_an_empty_share(backbone: str) -> None:
    expected = gradients(SINGLE_PROCESS, backbone)
    for found in together(gradients, 2, backbone):
        assert (found - expected).norm() < 1e-10 * expected.norm()


# Predicting.


def predict_all(group: ProcessGroup, someone: list[Instance]) -> tuple[Any, list[str], list[int]]:
    model = training(someone, "simdr", double=False).model
    heard: list[int] = []
    settings = CropSettings(SIZE, "rgb", COCO_17)
    found = predict(
        model,
        CODECS["simdr"],
        someone,
        settings,
        flip_test=True,
        device=CPU,
        batch_size=3,
        watch=heard.append,
        group=group,
    )
    return *found, heard


@pytest.mark.parametrize("size", [2, 4])  # four processes predict three readable batches
def test_a_group_predicts_the_same_bits(size: int, tmp_path: Path) -> None:
    someone = instances(tmp_path, COUNT)
    someone = [
        replace(one, image=tmp_path / "absent") if 3 <= number < 6 else one for number, one in enumerate(someone)
    ]
    someone[7].image.write_text("no image")
    predictions, broken, _ = predict_all(SINGLE_PROCESS, someone)
    assert len(broken) == 4
    for found, problems, heard in together(predict_all, size, someone):
        assert problems == broken
        for name, value in vars(predictions).items():
            np.testing.assert_array_equal(getattr(found, name), value, err_msg=name)
        assert heard == ([6, 11] if size == 2 else [11])


def measure_crowd(group: ProcessGroup, folder: Path) -> Any:
    split = open_split("crowdpose", folder, "test")
    torch.manual_seed(0)
    model = build_model("simba_tiny", "heatmap", keypoints=14, input_size=SIZE)
    codec = codec_settings("heatmap", SIZE, sigma=1.0, weight_bounds="exact")
    config = EvalConfig(codec, "rgb", None, flip_test=False, score_threshold=0.2, nms_threshold=0.9, batch_size=2)
    evaluator = Evaluator.open(split, config, "decoded", CPU)
    quick = evaluator.quick_metrics(model, device=CPU, group=group)
    return evaluator.evaluate(model, device=CPU, group=group), quick


def test_rank_0_scores_what_a_group_predicts(tmp_path: Path) -> None:
    folder = crowdpose(tmp_path / "crowdpose")
    first, *others = together(measure_crowd, 3, folder)
    assert first == measure_crowd(SINGLE_PROCESS, folder)
    assert first[1] == pytest.approx({"AP": first[0].metrics["AP"]}, abs=1e-12)
    assert others == [(None, None)] * 2


# The group itself.


def exchange(group: ProcessGroup) -> tuple[Any, ...]:
    half = group.subgroup(2)
    value = {"rank": group.rank, "tensor": torch.tensor([group.rank])}
    return (
        group.all_reduce(torch.tensor([1.0, group.rank])).tolist(),
        group.all_gather(group.rank),
        group.broadcast(value if group.rank == 0 else None),
        (half.rank, half.size, half.all_gather(group.rank)),
        (group.subgroup(1), group.subgroup(4) is group),
    )


def test_what_processes_tell_each_other() -> None:
    for rank, found in enumerate(together(exchange, 4)):
        pair = [rank - rank % 2, rank - rank % 2 + 1]
        assert found == ([4, 6], [0, 1, 2, 3], {"rank": 0, "tensor": 0}, (rank % 2, 2, pair), (SINGLE_PROCESS, True))


def leave_early(group: ProcessGroup) -> None:
    if group.rank == 0:
        group.all_gather(None)


def test_who_loses_the_others_says_so() -> None:
    error, other = together(leave_early, 2)
    assert isinstance(error, ProcessGroupError)
    assert "process 0 of 2 has lost the others" in str(error)
    assert other is None


def test_who_waits_in_vain_says_so() -> None:
    def wait() -> None:
        with init_process_group(HashStore(), rank=0, size=2, device=CPU, timeout=timedelta(seconds=1)):
            pytest.fail("nobody else is there")

    with pytest.raises(ProcessGroupError, match="process 0 of 2 cannot reach the others"):
        wait()


def test_one_process_opens_nothing() -> None:
    with init_process_group(HashStore(), rank=0, size=1, device=CPU) as group:
        assert group is SINGLE_PROCESS
        assert not torch.distributed.is_initialized()
    value = torch.ones(1)
    assert (group.all_reduce(value) is value, group.all_gather(3), group.broadcast(4)) == (True, [3], 4)
