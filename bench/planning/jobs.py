"""Jobs of planned trainings, and this machine's devices to run them on. Imports no torch."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.execute.job import Job, Resources, usual_workers
from bench.execute.ranks import Slot, make_slots
from bench.planning.plan import Plan, PlannedTraining
from bench.pose.data.pixels.names import PixelSource
from bench.pose.machine import gpu_count, usable_cores
from bench.suite.schema import Suite
from bench.suite.shipped import suite_argument
from bench.suite.specs import TrainSpec


@dataclass(frozen=True)
class LocalOptions:
    """Resources of jobs on this machine.

    Attributes:
        device: "cpu", "cuda" for all GPUs, "cuda:N", "mps", or "auto" for GPUs if there are any.
        threads: torch's threads per job; 0 shares the cores among the jobs that run at once.
        workers: processes that load crops, per job; None for `usual_workers`.
        save_every: seconds between checkpoints.
        pack: jobs that run at once on each device.
        loggers: folder of each logger by its name; wherever the jobs run.
        pixels: source of the crops' pixels.
        allow_links: whether images may be links out of their folder; wherever the jobs run.
        store_outputs: whether evaluations keep the network's raw outputs; likewise.
        cuda_graphs: whether NVIDIA GPUs record training steps and replay them.
    """

    device: str = "auto"
    threads: int = 0
    workers: int | None = None
    save_every: float = 60.0
    pack: int = 1
    loggers: Mapping[str, Path] = field(default_factory=dict)
    pixels: PixelSource = "auto"
    allow_links: bool = False
    store_outputs: bool = False
    cuda_graphs: bool = False

    def threads_of(self, slots: int) -> int:
        """Threads per job if `slots` jobs run at once."""
        return self.threads or max(usable_cores() // slots, 1)

    def workers_of(self, slots: int) -> int:
        """Processes that load crops, per job if `slots` jobs run at once."""
        if self.workers is not None:
            return self.workers
        return usual_workers(devices(self.device)[0], usable_cores() // slots)


def local_slots(options: LocalOptions, trainings: Iterable[PlannedTraining]) -> list[Slot]:
    """Slots on this machine's devices, each with room for the training with the most processes."""
    width = max((training.spec.world_size for training in trainings), default=1)
    return make_slots(devices(options.device), pack=options.pack, width=width)


def local_jobs(
    plan: Plan,
    trainings: Iterable[PlannedTraining],
    options: LocalOptions,
    *,
    data_root: Path,
    results: Path,
    slots: int,
) -> list[Job]:
    """Jobs of planned trainings for this machine, which runs `slots` of them at once."""
    resources = Resources(
        data_root=data_root.absolute(),
        results=results.absolute(),
        device=options.device,
        threads=options.threads_of(slots),
        workers=options.workers_of(slots),
        pixels=options.pixels,
        allow_links=options.allow_links,
        save_every=options.save_every,
        store_outputs=options.store_outputs,
        loggers=dict(options.loggers),
        cuda_graphs=options.cuda_graphs,
    )
    return [make_job(plan, training, resources) for training in trainings]


def make_job(plan: Plan, training: PlannedTraining, resources: Resources) -> Job:
    """The job of a planned training. Evaluations keep raw outputs if the resources or the suite say so."""
    if plan.suite.store_outputs:
        resources = resources.model_copy(update={"store_outputs": True})
    return Job(
        training=training.spec,
        evaluations=tuple(evaluation.spec for evaluation in training.evaluations),
        resources=resources,
        command=_command(plan, training, resources),
        axes=plan.suite.varied,
        weights=weights_file(plan.suite, training.spec, resources.data_root),
        extensions=plan.suite.extensions,
    )


def _command(plan: Plan, training: PlannedTraining, resources: Resources) -> str:
    """The command line that makes a training's results again, from the same folder."""
    found = training.spec.settings
    words = ["python", "-m", "bench", "run", suite_argument(plan.suite.file)]
    for option, path, usual in (
        ("--data-root", resources.data_root, "data"),
        ("--results", resources.results, "results"),
    ):
        words += [] if path == Path(usual).absolute() else [option, str(path)]
    words += [word for item in plan.suite.settings for word in ("--set", item)]
    words += [
        word for name in plan.suite.axes if found.get(name) is not None for word in ("--only", f"{name}={found[name]}")
    ]
    return shlex.join(words)


def weights_file(suite: Suite, training: TrainSpec, data_root: Path) -> Path | None:
    """File of a training's initial weights, if it has one: beside the suite, or else under the data root."""
    for name, digest in suite.weights.items():
        if digest == training.weights:
            beside = suite.file.parent.absolute() / name
            return beside if beside.exists() else data_root / name
    return None


def devices(name: str) -> list[str]:
    """This machine's devices by a name such as "auto". GPUs are found without importing torch."""
    gpus = [f"cuda:{number}" for number in range(gpu_count())]
    if name == "auto":
        return gpus or ["cpu"]
    return gpus or ["cuda"] if name == "cuda" else [name]
