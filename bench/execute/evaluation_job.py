"""Runs one evaluation in the store."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from bench.execute.example_images import store_images
from bench.execute.heartbeat import Heartbeat, show_evaluation
from bench.execute.job import Job
from bench.execute.output_store import OutputsKeeper
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
from bench.store.folders import Store
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
    evaluator = open_evaluator(job, spec)
    split, config = evaluator.split, evaluator.config
    model, weights = load_network(job, store)
    lost: list[str] = []
    keep = resources.store_outputs and group.size == 1  # several processes have a part of the outputs each
    keeper = OutputsKeeper(folder, len(evaluator.instances), weights, lost) if keep else None
    found = evaluator.evaluate(
        model,
        device=torch.device(resources.device),
        thorough=True,
        workers=resources.workers,
        watch=lambda done, total: show_evaluation(heartbeat, done, total),
        group=group,
        keep=None if keeper is None else keeper.add,
    )
    if found is None:
        return None
    problems = [*found.problems, *lost]
    dataset_folder = resources.data_root / job.training.dataset
    train = job.training.data.open(
        dataset_folder,
        job.training.split,
        job.training.subset,
        allow_links=resources.allow_links,
        held_out=job.training.held_out,
    )
    baseline = (
        _auxiliary(
            "mean pose baseline", lambda: _baseline(train, job.training.train_subset, evaluator, problems), problems
        )
        or {}
    )
    ceiling = _auxiliary("ceiling", lambda: ceiling_metrics(split, config), problems) or {}
    heartbeat.ensure_lease()
    for name, contents in found.files.items():
        write_bytes(folder.path / name, contents)
    if keeper is not None:
        keeper.commit()
        problems += [problem for problem in lost if problem not in problems]
    _auxiliary("example images", lambda: store_images(folder, split, found.results), problems)
    resampled = [name for name in found.metrics if name not in OWN_METRICS]
    _auxiliary("resampled metrics", lambda: Resamples(store).keep(spec.id, resampled), problems)
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
        provenance=job_provenance(job, data_hashes(evaluator), started, evaluator.images.name),
    )
    write_json(folder.record_file, result.model_dump(mode="json"))
    return result


def open_evaluator(job: Job, spec: EvalSpec) -> Evaluator:
    """The split of an evaluation, ready to be measured. Raises `BenchError` for unusable data or boxes."""
    resources, data = job.resources, job.training.data
    folder = resources.data_root / job.training.dataset
    split = data.open(folder, spec.split, spec.subset, allow_links=resources.allow_links)
    config = eval_config(job.training, spec, box_file(data, spec, folder))
    return Evaluator.open(split, config, resources.pixels, torch.device(resources.device))


def load_network(job: Job, store: Store) -> tuple[nn.Module, str]:
    """The trained network on the job's device, and the sha256 of its weights.

    Raises `CheckpointError` for weights that are missing or not those of the training's record.
    """
    folder = store.training(job.id)
    record = folder.record()
    if record is None or not folder.weights.exists() or sha256(folder.weights) != record.weights_sha256:
        raise CheckpointError(
            f"{folder.weights} does not hold the weights in its record; remove {folder.record_file} to train again"
        )
    model = network(job.training)
    load_weights(model, folder.weights)
    return model.to(torch.device(job.resources.device)), record.weights_sha256


def data_hashes(evaluator: Evaluator) -> dict[str, str]:
    """The sha256 of annotations, truth and boxes by file name."""
    split, boxes = evaluator.split, evaluator.config.box_file
    others = [file for file in (split.truth_file, boxes) if file and file != split.annotation_file]
    return {split.annotation_file.name: split.sha256, **{file.name: sha256(file) for file in others}}


def _auxiliary(name: str, make: Callable[[], T], problems: list[str]) -> T | None:
    """What is made beside the metrics; None, with an entry in `problems`, where it fails: it costs no measurement."""
    try:
        return make()
    except (StoreError, OSError, MemoryError):  # of the machine, not of the data: a retry may succeed
        raise
    except Exception as error:
        problems.append(f"no {name}: {type(error).__name__}: {error}")
        return None


def _baseline(train: Split, subset: int | None, evaluator: Evaluator, problems: list[str]) -> Metrics:
    split, instances = evaluator.split, first_instances(train.instances(), subset)
    if absent := never_labelled(instances, split.skeleton.keypoints):
        listed = ", ".join(absent)
        problems.append(f"mean pose baseline: {listed} labelled in no training instance, put into the box's middle")
    return mean_pose_metrics(instances, split, evaluator.config.evaluator)
