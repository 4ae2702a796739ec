"""Runs one evaluation in the store."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

from bench.execute.example_images import store_images
from bench.execute.heartbeat import Heartbeat, show_evaluation
from bench.execute.job import Job
from bench.execute.settings import box_file, eval_config
from bench.execute.training_job import job_provenance, network
from bench.files import StoreError, remove_leftovers, sha256, write_bytes, write_json
from bench.pose.ceiling import ceiling_metrics
from bench.pose.checkpoints import load_weights
from bench.pose.data.instances import Split
from bench.pose.data.left_out import never_labelled
from bench.pose.data.subset import first_instances
from bench.pose.errors import CheckpointError
from bench.pose.evaluation import Evaluator, mean_pose_metrics
from bench.pose.metrics.own import OWN_METRICS
from bench.pose.parallel import SINGLE_PROCESS, ProcessGroup
from bench.pose.scoring import Metrics
from bench.store.bootstrap import Resamples
from bench.store.documents import Record
from bench.store.folders import Store, TrainingFolder
from bench.suite.specs import EvalSpec

T = TypeVar("T")


def make_evaluation(
    job: Job, spec: EvalSpec, store: Store, heartbeat: Heartbeat, group: ProcessGroup = SINGLE_PROCESS
) -> Record | None:
    """Evaluate a finished training; store predictions, per-instance results, images and, last, the record.

    Rank 0 of the group holds the training's lease, writes, and returns the record; the others return None.

    Raises:
        StoppedError: the job was asked to stop.
        LeaseLostError: the work was taken over.
        ProcessGroupError: another process of the group is gone.
        BenchError: data, boxes or weights are unusable.
    """
    started, clock = time.time(), time.monotonic()
    resources, folder = job.resources, store.evaluation(spec.id)
    if group.rank == 0:
        remove_leftovers(folder.path)
    dataset_folder = resources.data_root / job.training.dataset
    split = job.training.data.open(dataset_folder, spec.split, spec.subset, allow_links=resources.allow_links)
    config = eval_config(job.training, spec, box_file(job.training.data, spec, dataset_folder))
    device = torch.device(resources.device)
    model = network(job.training)
    load_weights(model, _checked_weights(store.training(job.id)))
    evaluator = Evaluator.open(split, config, resources.pixels, device)
    found = evaluator.evaluate(
        model.to(device),
        device=device,
        thorough=True,
        workers=resources.workers,
        watch=lambda done, total: show_evaluation(heartbeat, done, total),
        group=group,
    )
    if found is None:
        return None
    problems = found.problems
    train = job.training.data.open(
        dataset_folder,
        job.training.split,
        job.training.subset,
        allow_links=resources.allow_links,
        held_out=job.training.held_out,
    )
    baseline = (
        _auxiliary("mean pose baseline", lambda: _baseline(train, job.training.train_subset, split, problems), problems)
        or {}
    )
    ceiling = _auxiliary("ceiling", lambda: ceiling_metrics(split, config), problems) or {}
    heartbeat.ensure_lease()
    for name, contents in found.files.items():
        write_bytes(folder.path / name, contents)
    _auxiliary("example images", lambda: store_images(folder, split, found.results), problems)
    resampled = [name for name in found.metrics if name not in OWN_METRICS]
    _auxiliary("resampled metrics", lambda: Resamples(store).keep(spec.id, resampled), problems)
    files = dict.fromkeys([split.annotation_file, split.truth_file, *([config.box_file] if config.box_file else [])])
    result = Record(
        id=spec.id,
        spec=spec,
        training=job.training,
        metrics=found.metrics,
        scored_by="bench" if split.annotated else "server",
        baseline=baseline,
        ceiling=ceiling,
        diagnostics=found.diagnostics,
        instances=found.instances,
        seconds=time.monotonic() - clock,
        problems=problems,
        images=found.images,
        images_left_out=found.images_left_out,
        provenance=job_provenance(job, {file.name: sha256(file) for file in files}, started, evaluator.images.name),
    )
    write_json(folder.record_file, result.model_dump(mode="json"))
    return result


def _auxiliary(name: str, make: Callable[[], T], problems: list[str]) -> T | None:
    """What is made beside the metrics; None, with an entry in `problems`, where it fails: it costs no measurement."""
    try:
        return make()
    except (StoreError, OSError, MemoryError):  # of the machine, not of the data: a retry may succeed
        raise
    except Exception as error:
        problems.append(f"no {name}: {type(error).__name__}: {error}")
        return None


def _baseline(train: Split, subset: int | None, split: Split, problems: list[str]) -> Metrics:
    instances = first_instances(train.instances(), subset)
    if absent := never_labelled(instances, split.skeleton.keypoints):
        listed = ", ".join(absent)
        problems.append(f"mean pose baseline: {listed} labelled in no training instance, put into the box's middle")
    return mean_pose_metrics(instances, split)


def _checked_weights(folder: TrainingFolder) -> Path:
    record = folder.record()
    if record is None or not folder.weights.exists() or sha256(folder.weights) != record.weights_sha256:
        raise CheckpointError(
            f"{folder.weights} does not hold the weights in its record; remove {folder.record_file} to train again"
        )
    return folder.weights
