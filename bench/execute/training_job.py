"""Runs one training in the store, from its checkpoint if there is one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from bench.execute.checkpoint import resume
from bench.execute.checkpoint import save as save_checkpoint
from bench.execute.heartbeat import Heartbeat, StoppedError
from bench.execute.job import Job, Resources
from bench.execute.power_meter import PowerMeter
from bench.execute.settings import augmentation, codec_settings, crop_settings, optimizer_config
from bench.execute.validation import make_validation
from bench.files import remove, sha256, write_atomically, write_json
from bench.pose.captured_step import CudaGraphs
from bench.pose.checkpoints import load_weights, read_weights
from bench.pose.codecs.representation import build_codec
from bench.pose.complexity import count_parameters
from bench.pose.data.instances import Split
from bench.pose.data.left_out import count_images, summarize
from bench.pose.data.pixels.choice import choose_images
from bench.pose.data.subset import first_instances
from bench.pose.metrics.catalog import NOBODY
from bench.pose.models.build import build_model, initialize, load_trunk
from bench.pose.models.heads import PoseModel
from bench.pose.models.trunk_weights import load_imagenet
from bench.pose.models.weights import IMAGENET
from bench.pose.parallel import SINGLE_PROCESS, ProcessGroup
from bench.pose.training import Progress, Training, TrainingError
from bench.store.documents import EpochEntry, TrainingRecord
from bench.store.folders import TrainingFolder
from bench.store.provenance import Provenance, collect
from bench.suite.specs import TrainSpec

Follow = Callable[[Sequence[Mapping[str, Any]]], None]


def network(spec: TrainSpec) -> PoseModel:
    """The training's network, without initial weights."""
    return build_model(
        spec.backbone,
        spec.representation,
        replicas=spec.replicas,
        world_size=spec.world_size,
        **spec.form,
    )


def make_training(
    job: Job,
    folder: TrainingFolder,
    heartbeat: Heartbeat,
    group: ProcessGroup = SINGLE_PROCESS,
    follow: Follow = lambda _history: None,
) -> TrainingRecord | None:
    """Train to the end, from the checkpoint if there is one, and store weights and record.

    Rank 0 of the group holds the folder's lease, writes, and returns the record; the others return None. `follow` is
    called with the history so far, before the first and after every step.

    Raises:
        StoppedError: the job was asked to stop; the checkpoint holds its state.
        LeaseLostError: the work was taken over.
        ProcessGroupError: another process of the group is gone.
        BenchError: data, weights or the training itself are unusable.
    """
    started, clock = time.time(), time.monotonic()
    spec, resources = job.training, job.resources
    data = resources.data_root / spec.dataset
    split = spec.data.open(data, spec.split, spec.subset, allow_links=resources.allow_links, held_out=spec.held_out)
    files = {split.annotation_file.name: split.sha256}
    selection: list[str] = []
    training = _prepare(job, split, heartbeat, group, selection=selection, files=files)
    earlier = resume(training, folder.checkpoint, spec) if group.rank == 0 else 0.0
    torch.set_num_threads(group.broadcast(torch.get_num_threads()))
    power = PowerMeter(training.device)

    def save() -> None:
        heartbeat.ensure_lease()
        save_checkpoint(training, folder.checkpoint, spec, earlier + time.monotonic() - clock)

    def watch(progress: Progress) -> bool:
        power.sample()
        follow(training.history)
        return _watch(heartbeat, training, progress)

    follow(training.history)
    if not training.run(watch, save=save, save_every=resources.save_every, workers=resources.workers):
        raise StoppedError
    if group.rank > 0:
        return None
    heartbeat.ensure_lease()
    seconds = earlier + time.monotonic() - clock
    problems = [*_selection_problems(spec, training), *selection, *summarize(split.problems)]
    record = _record(job, folder, training, split, files, problems=problems, seconds=seconds, started=started)
    record = record.model_copy(update={"watts": power.watts})
    write_json(folder.record_file, record.model_dump(mode="json"))
    remove(folder.checkpoint)
    return record


def _prepare(
    job: Job, split: Split, heartbeat: Heartbeat, group: ProcessGroup, *, selection: list[str], files: dict[str, str]
) -> Training:
    spec, device = job.training, torch.device(job.resources.device)
    if group.size > 1 and device.type == "mps":
        raise TrainingError(f"{group.size} processes cannot share a training on mps; use --device cpu")
    torch.manual_seed(spec.seed)
    model = network(spec)
    files |= _start(model, job)
    instances = first_instances(split.instances(), spec.train_subset)
    return Training(
        model=model.to(device),
        codec=build_codec(codec_settings(spec), split.skeleton.flip_indices),
        instances=instances,
        crops=crop_settings(spec),
        augmentation=augmentation(spec),
        settings=optimizer_config(spec),
        device=device,
        validate=make_validation(job, heartbeat, group, selection),
        group=group,
        images=choose_images(split, instances, job.resources.pixels, device),
        capture=recorder(job.resources, device),
    )


def recorder(resources: Resources, device: torch.device) -> CudaGraphs | None:
    """What records the training's steps; None where they are not to be, or cannot be."""
    return CudaGraphs(device) if resources.cuda_graphs and device.type == "cuda" else None


def _start(model: PoseModel, job: Job) -> dict[str, str]:
    """Load or draw the network's initial weights; returns the sha256 of the ImageNet file by name, if one is read."""
    spec = job.training
    if job.weights is not None and spec.initialization == "trunk":
        load_trunk(model, read_weights(job.weights, sha256=spec.weights))
    elif job.weights is not None:
        load_weights(model, job.weights, sha256=spec.weights)
    elif spec.initialization == "imagenet":
        return dict([load_imagenet(model, spec.backbone, job.resources.data_root / IMAGENET)])
    else:
        initialize(model, scheme=spec.initialization)
    return {}


def _watch(heartbeat: Heartbeat, training: Training, progress: Progress) -> bool:
    epoch, step = progress.position
    done = (epoch * progress.steps + step) / (progress.epochs * progress.steps)
    left = (1 - done) * progress.epochs * len(training.instances)
    heartbeat.beat(
        "training",
        epoch=min(epoch + 1, progress.epochs),
        epochs=progress.epochs,
        fraction=done,
        loss=progress.loss if math.isfinite(progress.loss) else None,
        rate=progress.rate,
        remaining=left / progress.rate if progress.rate else None,
    )
    return heartbeat.stopping and not training.finished


def _record(
    job: Job,
    folder: TrainingFolder,
    training: Training,
    split: Split,
    files: dict[str, str],
    *,
    problems: list[str],
    seconds: float,
    started: float,
) -> TrainingRecord:
    """Store the weights; returns the record with their hash."""
    # In the standard memory format, whichever was fastest here.
    weights = {name: value.contiguous() for name, value in training.weights.items()}
    write_atomically(folder.weights, lambda file: torch.save(weights, file))
    counted = count_images(training.instances, training.broken, split.split)
    return TrainingRecord(
        id=job.id,
        spec=job.training,
        params=count_parameters(training.model),
        history=[EpochEntry.model_validate(entry) for entry in training.history],
        seconds=seconds,
        weights_sha256=sha256(folder.weights),
        problems=[*counted.problems, *problems],
        images=counted.images,
        images_left_out=counted.left_out,
        provenance=job_provenance(job, files, started, training.images.name),
    )


def _selection_problems(spec: TrainSpec, training: Training) -> list[str]:
    """What to know of the weights that are kept, where no epoch could be called the best."""
    if training.validate is None or any(entry.get("validation") is not None for entry in training.history):
        return []
    return [f"{NOBODY} in {spec.selection_split}: no epoch is the best, and the weights of the last one are kept"]


def job_provenance(job: Job, files: dict[str, str], started: float, pixels: str) -> Provenance:
    """How a job made a result, from the files with these hashes."""
    resources = job.resources
    return collect(
        device=resources.device,
        threads=torch.get_num_threads(),
        workers=resources.workers,
        files=files,
        seed=job.training.seed,
        command=job.command,
        started=started,
        pixels=pixels,
    )
