"""Validation after every epoch, for trainings that keep their best weights (behaviour T15)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from bench.execute.heartbeat import Heartbeat, show_evaluation
from bench.execute.job import Job
from bench.execute.settings import selection_config
from bench.pose.data.left_out import summarize
from bench.pose.evaluation import Evaluator
from bench.pose.metrics.catalog import headline
from bench.pose.parallel import ProcessGroup


def make_validation(
    job: Job, heartbeat: Heartbeat, group: ProcessGroup, problems: list[str]
) -> Callable[[nn.Module], float | None] | None:
    """A function that scores a model on the selection split; None for trainings that keep their last weights.

    It raises `StoppedError` if the job was asked to stop. The training then resumes from its last checkpoint. What the
    split leaves out is put into `problems`.
    """
    spec, resources = job.training, job.resources
    if spec.selection_split is None:
        return None
    folder = resources.data_root / spec.dataset
    split = spec.data.open(folder, spec.selection_split, spec.selection_subset, allow_links=resources.allow_links)
    device = torch.device(resources.device)
    evaluator = Evaluator.open(split, selection_config(spec), resources.pixels, device)

    def validate(model: nn.Module) -> float | None:
        found = evaluator.quick_metrics(
            model,
            device=device,
            workers=resources.workers,
            watch=lambda done, total: show_evaluation(heartbeat, done, total),
            group=group,
        )
        problems[:] = [f"selection: {problem}" for problem in summarize(split.problems)]
        return None if found is None else found[headline(found)]

    return validate
