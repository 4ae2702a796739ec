"""Recorded steps: what is replayed gives the bits of the steps themselves, or is not used.

The processor records nothing. `RunAgain` stands in for the GPU: a replay runs the work again, on the inputs that it was
recorded with, into the tensor that it returned.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.pose.captured_step import PROOFS, WARM_UPS, CapturedStep
from bench.pose.data.instances import Instance
from bench.pose.outputs import Coordinates
from bench.pose.parallel import ProcessGroup
from bench.pose.training import Position, Training, TrainingError
from benchmarks.gpu.stand_in import RunAgain
from tests.unit.pose.test_parallel import same
from tests.unit.process_groups import instances, training

FIRST = WARM_UPS + PROOFS
"""Steps that are run themselves before any is only replayed."""


class Inexact(RunAgain):
    """Its replays from a certain one on move a weight by a bit."""

    def __init__(self, weight: Callable[[], Tensor], wrong: int) -> None:
        super().__init__()
        self._weight, self._wrong = weight, wrong

    def record(self, work: Callable[[], Tensor]) -> tuple[Callable[[], object], Tensor]:
        replay, result = super().record(work)

        def inexact() -> None:
            replay()
            if self.replays >= self._wrong:
                with torch.no_grad():
                    self._weight().flatten()[:1].mul_(1 + 2**-23)

        return inexact, result


class Unable(RunAgain):
    """Like a GPU whose host was to wait while it records."""

    def record(self, work: Callable[[], Tensor]) -> tuple[Callable[[], object], Tensor]:
        del work
        raise RuntimeError("operation not permitted when stream is capturing\nmore")


COUNT, BATCH, EPOCHS = 11, 2, 3
"""Instances, of which the last batch of an epoch has one; 15 steps are whole ones."""


@pytest.fixture(scope="module")
def someone(tmp_path_factory: pytest.TempPathFactory) -> list[Instance]:
    return instances(tmp_path_factory.mktemp("images"), COUNT)


class TinyNetwork(nn.Module):
    """A convolution with normalization, and a bin for each keypoint's coordinates."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 4, 3, stride=16), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
        self.head = nn.Linear(64, 2 * 17 * 128)

    def forward(self, images: Tensor) -> Coordinates:
        return Coordinates(*self.head(self.trunk(images)).unflatten(1, (2, 17, 128)).unbind(1))


def tiny(someone: Sequence[Instance], capture: Any = None) -> Training:
    """A training of a few milliseconds."""
    torch.manual_seed(0)
    return prepared(someone, capture, model=TinyNetwork())


def prepared(someone: Sequence[Instance], capture: Any = None, **more: Any) -> Training:
    """A training whose learning rate rises at first and then drops."""
    run = training(someone, more.pop("representation", "simdr"), double=False, batch_size=BATCH, epochs=EPOCHS)
    settings = replace(run.settings, milestones=(2,), warmup_steps=3, precision=more.pop("precision", "float32"))
    return replace(run, settings=settings, capture=capture, **more)


def finished(run: Training) -> Any:
    """The training at its end."""
    assert run.run(lambda _: False, save=lambda: None)
    return copy.deepcopy(run.state_dict())


def score(model: nn.Module) -> float:
    with torch.no_grad():
        output: Any = model.eval()(torch.ones(1, 3, 64, 64))
    return float((output.x if isinstance(output, tuple) else output).sum())


@pytest.mark.parametrize(
    ("representation", "precision"), [("heatmap", "float32"), ("simdr", "bfloat16"), ("simdr_star", "float32")]
)
def test_replays_change_no_bit(representation: str, precision: str, someone: list[Instance]) -> None:
    """With partial batches, a rate that changes, and validation between epochs, which keeps the best weights."""
    given: dict[str, Any] = {"representation": representation, "precision": precision, "validate": score}
    stand_in = RunAgain(torch.float64 if representation == "heatmap" else torch.float32)  # see `DoubleHeatmapCodec`
    run, plain = prepared(someone, stand_in, **given), prepared(someone, **given)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(finished(run), finished(plain))
    assert same(dict(run.weights), dict(plain.weights))
    whole = COUNT // BATCH * EPOCHS
    assert (stand_in.recordings, stand_in.replays) == (1, whole - WARM_UPS)
    assert stand_in.warm_ups == FIRST


def test_a_resumed_training_records_anew_and_ends_with_the_same_bits(someone: list[Instance]) -> None:
    expected = finished(tiny(someone))
    saves: list[Any] = []
    stopped = tiny(someone, RunAgain())
    stopped.run(
        lambda progress: progress.position == Position(1, 3),
        save=lambda: saves.append(copy.deepcopy(stopped.state_dict())),
    )
    stand_in = RunAgain()
    again = tiny(someone, stand_in)
    finished(again)
    again.load_state_dict(copy.deepcopy(saves[-1]))
    assert same(finished(again), expected)
    assert stand_in.recordings == 1 + 1, "the optimizer's state lies elsewhere after loading"


def test_losses_of_replays_can_be_read_late(someone: list[Instance]) -> None:
    """As on a GPU, where the next replay has overwritten the loss by then."""
    late = tiny(someone, RunAgain())
    late._lag = 1
    assert same(finished(late), finished(tiny(someone)))


@pytest.mark.parametrize("wrong", [1, 2])
def test_replays_with_other_bits_are_not_used(wrong: int, someone: list[Instance]) -> None:
    runs: list[Training] = []
    stand_in = Inexact(lambda: runs[0].model.head.bias, wrong)
    runs.append(tiny(someone, stand_in))
    with pytest.warns(UserWarning, match="CUDA graphs are not used, which .* a replay gives other bits"):
        found = finished(runs[0])
    assert same(found, finished(tiny(someone)))
    assert stand_in.replays == wrong


def test_steps_that_cannot_be_recorded_are_run(someone: list[Instance]) -> None:
    run = tiny(someone, Unable())
    with pytest.warns(UserWarning, match="cannot be recorded: operation not permitted when stream is capturing$"):
        found = finished(run)
    assert same(found, finished(tiny(someone)))


def test_steps_that_draw_random_numbers_are_run(someone: list[Instance]) -> None:
    """A replay would not move the generator that they draw from."""
    ends = []
    for capture in (RunAgain(), None):
        run = tiny(someone, capture)
        run.model.register_forward_pre_hook(lambda _, inputs: (nn.functional.dropout(inputs[0], 0.1),))
        if capture is None:
            ends.append(finished(run))
        else:
            with pytest.warns(UserWarning, match="draws random numbers"):
                ends.append(finished(run))
            assert (capture.recordings, capture.replays) == (0, 0)
    assert same(*ends)


def test_batches_that_lack_images_are_run(someone: list[Instance], tmp_path: Path) -> None:
    broken = instances(tmp_path, COUNT)
    broken[5].image.write_text("no image")
    stand_in = RunAgain()
    found = finished(tiny(broken, stand_in))
    assert same(found, finished(tiny(broken)))
    assert stand_in.replays == COUNT // BATCH * EPOCHS - WARM_UPS - _short_batches(broken)
    assert list(found["broken"]) == [5]


def _short_batches(broken: Sequence[Instance]) -> int:
    """Batches of all epochs that the unreadable image makes smaller, but for the last ones, which are small anyway."""
    run, short = tiny(broken), 0
    for number, batch in enumerate(run._batches(workers=0)):
        short += len(batch) < BATCH and number % run.steps_per_epoch < COUNT // BATCH
    return short


def test_a_group_s_steps_are_run(someone: list[Instance]) -> None:
    run = training(someone, replicas=2, group=ProcessGroup(0, 2), double=False)
    assert replace(run, capture=RunAgain())._step.captured is None


def test_a_loss_that_is_no_number_is_refused(someone: list[Instance]) -> None:
    run = tiny(someone, RunAgain())

    def overflow(progress: Any) -> bool:
        if progress.position == Position(2, 1):
            with torch.no_grad():
                next(run.model.parameters()).fill_(torch.nan)
        return False

    with pytest.raises(TrainingError, match="the loss is nan at epoch 2, step 1; the batch's images: "):
        run.run(overflow, save=lambda: pytest.fail("nothing is to be saved"))


# Steps of other inputs.


def counted(changed: Tensor, calls: list[int]) -> Callable[..., Tensor]:
    def compute(values: Tensor, more: dict[str, Any]) -> Tensor:
        calls.append(len(values))
        with torch.no_grad():
            changed.add_(values.sum() * more["factor"])
        return changed.sum()

    return compute


def results(inputs: Iterator[tuple[Tensor, dict[str, Any]]], capture: RunAgain) -> tuple[list[float], CapturedStep]:
    changed, calls = torch.zeros(3), list[int]()
    step = CapturedStep(counted(changed, calls), capture, lambda: [changed])
    return [float(step(*one)) for one in inputs], step


def test_inputs_of_another_form_are_computed_as_they_are() -> None:
    forms = [torch.ones(2), torch.ones(3), torch.ones(2, dtype=torch.float64)]
    inputs = [(forms[number % 3], {"factor": torch.tensor(float(number))}) for number in range(30)]
    stand_in = RunAgain()
    found, step = results(iter(inputs), stand_in)
    expected, total = [], 0.0
    for values, more in inputs:
        total += 3 * float(values.sum() * more["factor"])
        expected.append(total)
    assert found == expected
    assert stand_in.replays == 10 - WARM_UPS
    assert step.replays


def test_what_is_no_tensor_is_not_recorded() -> None:
    stand_in = RunAgain()
    found, step = results(((torch.ones(1), {"factor": 2.0}) for _ in range(10)), stand_in)
    assert found == [6.0 * number for number in range(1, 11)]
    assert (stand_in.recordings, step.replays) == (0, False)
