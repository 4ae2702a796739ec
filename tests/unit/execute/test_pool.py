"""Tests of the pool of jobs on one machine."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from bench.execute.job import Job, JobOutcome, Resources
from bench.execute.pool import Pool, _ProcessSet
from bench.execute.progress import PlainView
from bench.execute.ranks import Slot
from bench.files import write_json
from bench.store.documents import LoggerWarnings
from bench.store.folders import Store
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


def test_what_loggers_say_is_shown_once(tmp_path: Path) -> None:
    """Each time that the job is looked at, and once more at its end; not what another process left behind."""
    resources = Resources(
        data_root=tmp_path, results=tmp_path / "results", device="cpu", threads=1, workers=0, save_every=60.0
    )
    job = Job(training=example_training(tmp_path), evaluations=(), resources=resources, command="none")
    file = Store(resources.results).training(job.id).logger_warnings_file
    said = StringIO()
    view = PlainView(Console(file=said, width=200))
    pool = Pool([job], view, slots=[Slot(("cpu",))])
    process = cast(Any, SimpleNamespace(pid=7))
    running = _ProcessSet(1, job, Slot(("cpu",)), [process])

    pool._show_warnings(running)
    for pid, messages in ((8, ["of another"]), (7, ["one [bold]"]), (7, ["one [bold]"]), (7, ["one [bold]", "two"])):
        write_json(file, LoggerWarnings(pid=pid, messages=messages).model_dump())
        pool._show_warnings(running)
    file.write_text("{")
    pool._show_warnings(running)
    assert said.getvalue() == f"    {job.id}: one [bold]\n    {job.id}: two\n"
