"""Three trainings on one GPU: in a process each, as `bench run --pack 3` has them, and in one process."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bench.pose.precision import Precision
from bench.pose.training import Progress, Training
from benchmarks.gpu.checks import Check, NotPossibleError, Setting, WrongError
from benchmarks.gpu.fast import load_of
from benchmarks.gpu.measuring import Window
from benchmarks.gpu.trainings import (
    cached_pixels,
    drawn,
    not_saved,
    prepare,
    recorder,
    repeated,
    require_device,
    training,
)

SIZE = (64, 64)
COUNT = 3
WARM_STEPS = 8
"""More than it takes until steps are replayed."""

PATIENCE = 60.0
"""Seconds to wait for the other trainings."""


def checks(setting: Setting, until: float) -> list[Check]:
    """The checks of this part. `bfloat16 graphs` is the fastest way of one training, `float32` the usual one."""
    del until
    require_device(setting)
    ways: list[tuple[Precision, bool, int]] = [
        ("float32", False, COUNT),
        ("bfloat16", True, COUNT),
        ("bfloat16", True, 1),
        ("float32", False, 1),
    ]
    found = [
        Check(
            f"{precision}{' graphs' if graphs else ''}: {count} in a process each",
            partial(processes, setting, precision, graphs, count),
            limit=90,
            needs=12,
        )
        for precision, graphs, count in ways
    ]
    in_one = Check(f"bfloat16 graphs: {COUNT} in one process", partial(threads, setting), limit=90, needs=12)
    return [*found[:2], in_one, *found[2:]]


def run_of(setting: Setting, precision: Precision, graphs: bool) -> Training:
    """A training that does not end."""
    load = load_of(setting)
    return training(
        setting,
        "simba_tiny" if setting.quick else "hrnet_w32",
        SIZE,
        batch_size=load.batch,
        precision=precision,
        instances=repeated(drawn(setting).instances, 100 * load.batch),
        images=cached_pixels(setting),
        capture=recorder(setting) if graphs else None,
    )


@dataclass
class Member:
    """The watcher of one of several trainings: it waits, warm, for the others; then all count for the same time.

    Attributes:
        load: instances per batch.
        device: where the training runs.
        seconds: to warm up, and to count.
        meet: called once when warm; returns when the others are, too.
    """

    load: int
    device: torch.device
    seconds: tuple[float, float]
    meet: Callable[[], object]
    window: Window | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._steps, self._begun = 0, time.monotonic()

    def __call__(self, _progress: Progress) -> bool:
        if self.window is None:
            self._steps += 1
            if self._steps >= WARM_STEPS and time.monotonic() - self._begun >= self.seconds[0]:
                self.meet()
                self.window = Window(self.device, 0.0, self.seconds[1], least=1)
            return False
        return self.window.step(self.load)


def processes(setting: Setting, precision: Precision, graphs: bool, count: int) -> Mapping[str, Any]:
    """Instances/s in total, each training in a process with the pixels and a context of its own."""
    if graphs and setting.device == "cpu":
        raise NotPossibleError("CUDA graphs need a GPU")
    meeting = setting.work / f"meeting-{time.monotonic_ns()}"
    meeting.mkdir()
    command = [sys.executable, "-m", "benchmarks.gpu.many", setting.to_json(), precision, str(int(graphs)), str(count)]
    running = [
        subprocess.Popen([*command, str(meeting / str(number))], stdout=subprocess.PIPE, text=True)
        for number in range(count)
    ]
    said = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        raise WrongError(f"processes ended by {[process.returncode for process in running]}; see log.txt")
    found = [json.loads(text.splitlines()[-1]) for text in said]
    together = {"instances/s": sum(one["instances/s"] for one in found)}
    return together | {name: found[0][name] for name in found[0] if name != "instances/s"}


def member() -> None:
    """Be one of the processes; prints the figures."""
    setting, precision, graphs = Setting.from_json(sys.argv[1]), sys.argv[2], sys.argv[3] == "1"
    count, sign = int(sys.argv[4]), Path(sys.argv[5])
    device, load = prepare(setting), load_of(setting)

    def meet() -> None:
        sign.touch()
        until = time.monotonic() + PATIENCE
        while len(list(sign.parent.iterdir())) < count and time.monotonic() < until:
            time.sleep(0.01)

    watch = Member(load.batch, device, (load.warm_up, load.seconds), meet)
    run_of(setting, precision, graphs).run(watch, save=not_saved, workers=max(load.workers // count, 1))  # type: ignore[arg-type]
    assert watch.window is not None
    print(json.dumps(watch.window.figures()))


def threads(setting: Setting) -> Mapping[str, Any]:
    """Instances/s in total, each training in a thread with a stream of its own, all from the same pixels."""
    if setting.device == "cpu":
        raise NotPossibleError("CUDA graphs need a GPU")
    device, load = prepare(setting), load_of(setting)
    barrier = threading.Barrier(COUNT)
    watches = [Member(load.batch, device, (0.5, load.seconds), partial(barrier.wait, PATIENCE)) for _ in range(COUNT)]
    runs = [run_of(setting, "bfloat16", True) for _ in range(COUNT)]
    streams = [torch.cuda.Stream(device) if device.type == "cuda" else None for _ in range(COUNT)]
    faults: list[BaseException] = []
    workers = max(load.workers // COUNT, 1)

    def work(number: int, watch: Callable[[Progress], bool]) -> None:
        try:
            with nullcontext() if streams[number] is None else torch.cuda.stream(streams[number]):
                runs[number].run(watch, save=not_saved, workers=workers)
        except BaseException as error:
            faults.append(error)
            barrier.abort()

    for number in range(COUNT):  # one records at a time
        work(number, lambda progress: progress.position.step >= WARM_STEPS)
    started = [threading.Thread(target=work, args=(number, watches[number])) for number in range(COUNT)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    if faults:
        raise faults[0]
    found = [watch.window.figures() for watch in watches if watch.window is not None]
    return {**found[0], "instances/s": sum(one["instances/s"] for one in found)}


if __name__ == "__main__":
    member()
