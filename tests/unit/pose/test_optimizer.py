"""What makes steps fast changes nothing but rounding: Adam, transposed convolutions, peaks, late losses, bfloat16."""

from __future__ import annotations

import copy
import io
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bench.pose.codecs.base import peak
from bench.pose.data.instances import Instance
from bench.pose.gradients import ReducedBatch
from bench.pose.models.memory_format import channels_side_by_side
from bench.pose.models.upsampling import Doubling
from bench.pose.optimizer import DenseAdam
from bench.pose.outputs import Coordinates
from bench.pose.parallel import ProcessGroup
from bench.pose.precision import autocast, disable_tf32, make_deterministic, to_float32
from bench.pose.training import Position, Progress, Training, TrainingError
from tests.unit.pose.test_parallel import same
from tests.unit.process_groups import CPU, instances, training
from tests.unit.suites import example_evaluation, example_training

STEPS = 20


# Adam.


def network() -> nn.Sequential:
    """Weights in both layouts, one frozen, one that gets no gradient."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Conv2d(5, 4, 1), nn.ConvTranspose2d(4, 3, 4), nn.Linear(7, 2))
    channels_side_by_side(model)
    model[1].bias.requires_grad_(False)
    return model


def learn(model: nn.Sequential, step: Callable[[float], None], clear: Callable[[], None], steps: range) -> None:
    for number in steps:
        images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(number))
        clear()
        model[:3](images).square().mean().backward()
        step(1e-2 / (1 + number))


def learn_densely(model: nn.Sequential, adam: DenseAdam, steps: range = range(STEPS)) -> None:
    learn(model, adam.step, adam.zero_grad, steps)


def test_adam_is_torch_s() -> None:
    model, other = network(), network()
    assert not model[0].weight.is_contiguous(), "channels lie side by side"
    adam = torch.optim.Adam([one for one in other.parameters() if one.requires_grad])

    def step(rate: float) -> None:
        adam.param_groups[0]["lr"] = rate
        adam.step()

    learn_densely(model, DenseAdam(list(model.parameters())))
    learn(other, step, adam.zero_grad, range(STEPS))
    start = network().state_dict()
    for name, value in other.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value, rtol=1e-5, atol=1e-6, msg=name)
        stays = name in {"1.bias", "3.weight", "3.bias"}
        assert torch.equal(model.state_dict()[name], start[name]) == stays
        assert not stays or torch.equal(value, start[name])


def test_adam_goes_on_from_its_state_with_the_same_bits() -> None:
    whole, first = network(), network()
    learn_densely(whole, DenseAdam(list(whole.parameters())))
    adam = DenseAdam(list(first.parameters()))
    learn_densely(first, adam, range(7))
    file = io.BytesIO()
    torch.save([first.state_dict(), adam.state_dict()], file)
    file.seek(0)
    weights, state = torch.load(file, weights_only=True)
    second = network()
    resumed = DenseAdam(list(second.parameters()))
    second.load_state_dict(weights)
    resumed.load_state_dict(state)
    learn_densely(second, resumed, range(7, STEPS))
    assert same(dict(second.state_dict()), dict(whole.state_dict()))


def test_a_rate_that_lies_on_the_device_gives_the_same_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, here in the processor's memory; the rate that a checkpoint holds does not take its place."""
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    plain, other = network(), network()
    learn_densely(plain, DenseAdam(list(plain.parameters())))
    adam = DenseAdam(list(other.parameters()))
    adam._rate = torch.zeros(())
    learn_densely(other, adam, range(7))
    resumed = DenseAdam(list(other.parameters()))
    resumed._rate = torch.zeros(())
    resumed.load_state_dict(copy.deepcopy(adam.state_dict()))
    learn_densely(other, resumed, range(7, STEPS))
    assert float(resumed._rate) == pytest.approx(1e-2 / STEPS)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value, rtol=1e-5, atol=1e-7, msg=name)
    changed = list(resumed.tensors())
    assert len(changed) == 3 * 5, "two moments and a step count of each of five parameters"


# Transposed convolutions.


@pytest.mark.parametrize(("height", "width"), [(2, 2), (4, 4), (1, 3), (2, 8)])
@pytest.mark.parametrize("inputs", [1024, 1500])
def test_doubling_is_the_transposed_convolution(inputs: int, height: int, width: int) -> None:
    torch.manual_seed(0)
    layer = Doubling(inputs, 24)
    plain = nn.ConvTranspose2d(inputs, 24, kernel_size=4, stride=2, padding=1, bias=False)
    plain.load_state_dict(layer.state_dict())
    maps = torch.randn(3, inputs, height, width).contiguous(memory_format=torch.channels_last)
    weights = torch.randn(3, 24, 2 * height, 2 * width)
    found = []
    for one in (layer, plain):
        given_maps = maps.clone().requires_grad_()
        output = one(given_maps)
        (output * weights).sum().backward()
        found.append((output.detach(), given_maps.grad, one.weight.grad))
    for value, expected in zip(*found, strict=True):
        assert value.shape == expected.shape
        assert (value - expected).norm() < 1e-4 * expected.norm()
    assert torch.equal(layer.eval()(maps), plain(maps))


@pytest.mark.parametrize(("inputs", "side"), [(1023, 4), (1024, 5)])
def test_large_maps_and_few_channels_are_convolved_in_training_too(inputs: int, side: int) -> None:
    layer, maps = Doubling(inputs, 3), torch.randn(2, inputs, side, side)
    plain = nn.ConvTranspose2d(inputs, 3, kernel_size=4, stride=2, padding=1, bias=False)
    plain.load_state_dict(layer.state_dict())
    assert torch.equal(layer(maps), plain(maps))


def test_nobody_s_maps_are_doubled() -> None:
    assert Doubling(1024, 8)(torch.zeros(0, 1024, 2, 2)).shape == (0, 8, 4, 4)


# Peaks.


@settings(max_examples=200, deadline=None)
@given(
    size=st.one_of(st.integers(1, 300), st.integers(1, 6).map(lambda parts: 64 * parts)),
    levels=st.sampled_from([1, 2, 5, 10**6]),
    seed=st.integers(0, 10**6),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
)
def test_a_peak_is_the_first_of_the_highest_values(size: int, levels: int, seed: int, dtype: torch.dtype) -> None:
    rng = torch.Generator().manual_seed(seed)
    values = (torch.randint(0, levels, (2, 3, size), generator=rng) - levels // 2).to(dtype)
    highest, index = peak(values)
    expected = values.max(dim=-1)
    assert torch.equal(highest, expected.values)
    assert torch.equal(index, (values == highest[..., None]).int().argmax(dim=-1))
    assert torch.equal(index, expected.indices)


def test_the_peak_of_nobody_and_of_infinite_values() -> None:
    highest, index = peak(torch.zeros(0, 17, 128))
    assert (highest.shape, index.shape) == ((0, 17), (0, 17))
    values = torch.full((1, 128), -math.inf)
    values[0, 70] = math.inf
    assert [found.tolist() for found in peak(values)] == [[math.inf], [70]]
    assert peak(torch.full((1, 128), -math.inf))[1].tolist() == [0]


# Precision.


def test_gpus_are_told_to_compute_float32_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    disable_tf32()
    assert not torch.backends.cudnn.allow_tf32


def test_jobs_ask_for_the_same_bits_and_for_no_memory_to_be_filled_first(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(torch, "use_deterministic_algorithms", lambda *given, **more: asked.append((given, more)))
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    make_deterministic()
    assert asked == [((True,), {"warn_only": True})]
    assert not torch.utils.deterministic.fill_uninitialized_memory
    assert not torch.backends.cudnn.allow_tf32
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    make_deterministic()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8", "what the user chose stays"


@pytest.mark.parametrize("representation", ["heatmap", "simdr", "simdr_star"])
def test_a_training_in_bfloat16_is_close_to_that_in_float32(representation: str, tmp_path: Path) -> None:
    someone = instances(tmp_path, 6)
    runs = {}
    for precision in ("float32", "bfloat16"):
        run = training(someone, representation, double=False, batch_size=3)
        run = replace(run, settings=replace(run.settings, precision=precision))
        assert run.run(lambda _: False, save=lambda: None)
        runs[precision] = run
    losses = {precision: [entry["loss"] for entry in run.history] for precision, run in runs.items()}
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.02)
    state = runs["bfloat16"].state_dict()
    kinds = {value.dtype for value in state["model"].values()}
    assert kinds == {torch.float32, torch.int64}, "weights and statistics stay in single precision"
    moments = [value for one in state["optimizer"]["state"].values() for value in one.values()]
    assert {value.dtype for value in moments} == {torch.float32}


def test_losses_and_outputs_are_float32(tmp_path: Path) -> None:
    run = training(instances(tmp_path, 2), "simdr", double=False)
    images, keypoints = torch.randn(2, 3, 64, 64), torch.full((2, 17, 2), 30.0)
    with autocast("bfloat16", CPU):
        output = run.model(images)
    assert isinstance(output, Coordinates)
    assert {part.dtype for part in output} == {torch.bfloat16}
    loss = run.codec.loss(to_float32(output), run.codec.encode(keypoints, torch.ones(2, 17, dtype=torch.bool)))
    assert loss.dtype == torch.float32
    doubled = Coordinates(*(part.double() for part in output))
    assert {part.dtype for part in to_float32(doubled)} == {torch.float64}
    with autocast("float32", CPU):
        assert {part.dtype for part in run.model(images)} == {torch.float32}


def test_doubling_in_bfloat16() -> None:
    torch.manual_seed(0)
    layer, maps = Doubling(1024, 16), torch.randn(2, 1024, 2, 2)
    with autocast("bfloat16", CPU):
        found = layer(maps)
    assert found.dtype == torch.bfloat16
    expected = layer(maps)
    assert (found - expected).norm() < 0.02 * expected.norm()


def test_the_precision_is_part_of_a_cell_s_identity(tmp_path: Path) -> None:
    for make in (example_training, example_evaluation):
        one, other = make(tmp_path), make(tmp_path, precision="bfloat16")
        assert one.precision == "float32"
        assert one.id != other.id


# Losses that are read late.


def lagging(someone: list[Instance], lag: int, **more: Any) -> Training:
    run = training(someone, double=False, batch_size=2, **more)
    run._lag = lag
    return run


def score(model: nn.Module) -> float:
    with torch.no_grad():
        return float(model.eval()(torch.ones(1, 3, 64, 64)).x.sum())


def finish(run: Training, stop: Callable[[Progress], bool] = lambda _: False) -> list[dict[str, Any]]:
    """Train with a checkpoint after each step; all of them."""
    saves: list[dict[str, Any]] = []
    run.run(stop, save=lambda: saves.append(copy.deepcopy(run.state_dict())), save_every=0)
    return saves


@pytest.mark.parametrize("validate", [None, score])
def test_losses_read_late_change_no_bit(validate: Callable[[nn.Module], float] | None, tmp_path: Path) -> None:
    someone = instances(tmp_path, 7)
    someone[2].image.write_text("no image")
    on_time = lagging(someone, 0, validate=validate)
    expected = finish(on_time)
    for every_step in (True, False):
        late = lagging(someone, 1, validate=validate)
        if every_step:
            assert same(finish(late), expected)
        else:
            late.run(lambda _: False, save=lambda: None)
        assert same(late.state_dict(), on_time.state_dict())
        assert same(dict(late.weights), dict(on_time.weights))
    stopped = lagging(someone, 1, validate=validate)
    (state,) = finish_at(stopped, Position(1, 2))
    resumed = lagging(someone, 1, validate=validate)
    resumed.load_state_dict(state)
    resumed.run(lambda _: False, save=lambda: None)
    assert same(resumed.state_dict(), on_time.state_dict())


def finish_at(run: Training, position: Position) -> list[dict[str, Any]]:
    """The checkpoint that a training leaves when it is stopped."""
    saves: list[dict[str, Any]] = []
    run.run(lambda progress: progress.position == position, save=lambda: saves.append(copy.deepcopy(run.state_dict())))
    assert run.position == position
    return saves


@pytest.mark.parametrize("lag", [0, 1])
@pytest.mark.parametrize("step", [0, 1, 3])
def test_a_loss_that_is_not_finite_is_refused_with_its_images(step: int, lag: int, tmp_path: Path) -> None:
    """In the first, a middle, and the last step of an epoch, with a checkpoint due after each."""
    run = lagging(instances(tmp_path, 7), lag)
    usual, batches = run._reducer.reduce, []

    def overflow(loss: Tensor, batch: Any, **given: Any) -> ReducedBatch:
        whose = [run.instances[index] for index in batch.indices.tolist()]
        batches.append(sorted(f"{instance.image.name} (instance {instance.annotation_id})" for instance in whose))
        return usual(loss * math.nan if len(batches) == step + 1 else loss, batch, **given)

    run._reducer.reduce = overflow
    saved: list[Position] = []
    with pytest.raises(TrainingError) as error:
        run.run(lambda _: False, save=lambda: saved.append(Position(*run.state_dict()["position"])), save_every=0)
    assert str(error.value) == (
        f"the loss is nan at epoch 0, step {step}; the batch's images: {', '.join(batches[step])}"
    )
    assert saved == [Position(0, number) for number in range(1, step + 1)]
    assert not run.history


def test_a_late_loss_that_is_not_finite_is_refused_without_checkpoints(tmp_path: Path) -> None:
    run = lagging(instances(tmp_path, 7), 1)
    with torch.no_grad():
        next(run.model.parameters()).fill_(math.inf)
    with pytest.raises(TrainingError, match="the loss is nan at epoch 0, step 0"):
        run.run(lambda _: False, save=lambda: pytest.fail("nothing is to be saved"))
    assert run.position == Position(0, 1)


def test_only_a_gpu_that_trains_alone_is_read_late(tmp_path: Path) -> None:
    """Else rank 0 would refuse a loss while it saves, when the others are at the next step."""
    someone = instances(tmp_path, 2)
    alone, member = training(someone), training(someone, replicas=2, group=ProcessGroup(0, 2))
    assert [run._lag for run in (alone, member)] == [0, 0]
    assert [replace(run, device=torch.device("cuda"))._lag for run in (alone, member)] == [1, 0]


def test_after_a_loss_that_was_no_number_once_the_last_checkpoint_leads_to_the_same_bits(tmp_path: Path) -> None:
    undisturbed, struck, again = (lagging(instances(tmp_path, 7), 0) for _ in range(3))
    undisturbed.run(lambda _: False, save=lambda: None)
    usual, batches, saves = struck._reducer.reduce, 0, []

    def overflow(loss: Tensor, batch: Any, **given: Any) -> ReducedBatch:
        nonlocal batches
        batches += 1
        return usual(loss * (math.nan if batches == 3 else 1), batch, **given)

    struck._reducer.reduce = overflow
    with pytest.raises(TrainingError, match="the loss is nan"):
        struck.run(lambda _: False, save=lambda: saves.append(copy.deepcopy(struck.state_dict())), save_every=0)
    again.load_state_dict(saves[-1])
    assert again.position == struck.position
    assert again.run(lambda _: False, save=lambda: None)
    assert same(dict(again.weights), dict(undisturbed.weights))


@pytest.mark.parametrize(
    ("step", "message"), [(1, "the loss is nan at epoch 0, step 2"), (3, "the weights are not finite after epoch 0")]
)
def test_weights_that_are_no_numbers_take_no_checkpoint_s_place(step: int, message: str, tmp_path: Path) -> None:
    """Gradients that are none of a loss that is one, in the middle of an epoch and at its end."""
    run = lagging(instances(tmp_path, 7), 0)
    usual, batches, saved = run._reducer.reduce, 0, []

    def overflow(loss: Tensor, batch: Any, **given: Any) -> ReducedBatch:
        nonlocal batches
        batches += 1
        if batches == step + 1:
            next(iter(run.model.parameters())).grad.fill_(math.nan)
        return usual(loss, batch, **given)

    run._reducer.reduce = overflow
    with pytest.raises(TrainingError, match=message):
        run.run(lambda _: False, save=lambda: saved.append(run.position), save_every=0)
    assert saved == [Position(0, number) for number in range(1, step + 1)]
