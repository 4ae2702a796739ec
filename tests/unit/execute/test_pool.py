"""Tests of the pool of jobs on one machine."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from bench.execute.job import Job, JobOutcome, Resources
from bench.execute.pool import Pool
from bench.execute.ranks import Slot
from tests.slurm.silence import SilentView
from tests.unit.suites import example_training


@pytest.mark.parametrize("ask", [Pool.stop, lambda pool: pool.stop_within(0.1)])
def test_told_to_stop_before_the_first_process_exists(
    tmp_path: Path, ask: Callable[[Pool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal may come in the middle of starting a process: there is nobody yet to be asked to stop."""

    def interrupted(process: ForkServerProcess) -> None:
        ask(pool)
        raise KeyboardInterrupt

    monkeypatch.setattr(ForkServerProcess, "start", interrupted)
    resources = Resources(
        data_root=tmp_path, results=tmp_path / "results", device="cpu", threads=1, workers=0, save_every=60.0
    )
    job = Job(training=example_training(tmp_path), evaluations=(), resources=resources, command="none")
    pool = Pool([job], SilentView(), slots=[Slot(("cpu",))])
    assert pool.run() == [JobOutcome.STOPPED]
