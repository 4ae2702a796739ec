"""Who asked for CUDA graphs gets them, where there are any."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.execute import training_job
from bench.planning.jobs import LocalOptions, local_jobs
from bench.planning.plan import make_plan
from bench.store.folders import Store
from tests.unit.suites import load


@pytest.mark.parametrize("asked", [True, False])
def test_steps_are_recorded_on_gpus_by_those_who_ask(
    asked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(load(tmp_path), Store(tmp_path))
    options = LocalOptions(device="cuda", cuda_graphs=asked)
    jobs = local_jobs(plan, plan.trainings, options, data_root=tmp_path, results=tmp_path, slots=1)
    monkeypatch.setattr(training_job, "CudaGraphs", str)
    for device, found in (("cuda:1", "cuda:1" if asked else None), ("cpu", None), ("mps", None)):
        assert training_job.recorder(jobs[0].resources, torch.device(device)) == found
