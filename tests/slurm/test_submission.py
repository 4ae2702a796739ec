"""From a suite to records through the queue."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

import bench
from tests.slurm.checker import Checker
from tests.slurm.cluster import Cluster, wait_until
from tests.slurm.desk import Desk
from tests.strangers import NAMES, strange_folder

pytestmark = pytest.mark.slurm


def deadly_sbatch(folder: Path) -> str:
    """A PATH on which sbatch submits, and then kills whoever called it before the answer is read."""
    folder.mkdir()
    script = folder / "sbatch"
    script.write_text(f'#!/bin/bash\n{shutil.which("sbatch")} "$@" > /dev/null\nkill -9 $PPID\n', encoding="utf-8")
    script.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_twelve_trainings_although_the_session_dies_in_the_middle_of_submitting(
    desk: Desk, watched: Checker, cluster: Cluster
) -> None:
    desk.write(seeds=12, throttle=3)
    killed = desk.call(desk.run(), PATH=deadly_sbatch(desk.folder / "bin"))
    assert killed.returncode == -signal.SIGKILL
    assert "nothing to submit" in desk.submit(), "what the dead session submitted is known"

    crowds, nodes = [], set()
    while "done" not in (states := set(desk.states())) or len(states) > 1:
        running = [node for state, node in cluster.jobs().values() if state == "RUNNING"]
        crowds.append(len(running))
        nodes |= set(running)
        assert len(crowds) < 1000
        time.sleep(0.2)
    desk.assert_as_undisturbed()
    assert max(crowds) == 3
    assert len(list(desk.results.glob("evaluations/*/record.json"))) == 12
    assert {"queued", "running", "done"} <= watched.seen
    assert watched.polls > 10
    assert all(len(folder.leases.history()) == 1 for folder in desk.folders())


def test_two_runs_and_a_local_one_at_the_same_moment_train_each_cell_once(desk: Desk, watched: Checker) -> None:
    desk.write(seeds=4)
    here = desk.command("run", desk.suite, "--data-root", desk.data_root, "--threads", 1, "--device", "cpu")
    processes = [
        subprocess.Popen(command, cwd=desk.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for command in (desk.run(), desk.run(), here)
    ]
    said = [process.communicate(timeout=240)[0] for process in processes]
    desk.await_end()
    desk.assert_as_undisturbed()
    submitted = [len(json.loads(f.read_text())["arrays"]) for f in desk.results.glob("submissions/*/submission.json")]
    assert len(submitted) <= 1, said
    trained = [sum(1 for line in folder.log.open() if "Traceback" in line) for folder in desk.folders()]
    assert not any(trained)


def test_a_queued_job_runs_the_code_and_the_suite_that_were_submitted(desk: Desk, cluster: Cluster) -> None:
    checkout = desk.folder / "checkout"
    shutil.copytree(Path(bench.__file__).parent, checkout / "bench", ignore=shutil.ignore_patterns("__pycache__"))
    desk.write(seeds=2, sbatch={"begin": "now+1hour"})
    environment = {"PYTHONPATH": str(checkout)}
    assert desk.call(desk.run(), **environment).returncode == 0
    assert set(desk.states()) == {"queued"}
    job = desk.job().partition("_")[0]

    runner = checkout / "bench" / "execute" / "runner.py"
    runner.write_text("raise RuntimeError('edited while jobs waited')\n", encoding="utf-8")
    (checkout / "bench" / "execute" / "slurm" / "task.py").unlink()
    frozen = desk.suite.read_text()
    plan = desk.plan()
    desk.suite.write_text("no suite any more", encoding="utf-8")
    strange_folder(desk.folder)  # where the jobs run
    cluster.ask("scontrol", "update", f"jobid={job}", "starttime=now")

    folders = [desk.store.training(training.spec.id) for training in plan.trainings]
    wait_until(lambda: all(folder.record_file.exists() for folder in folders), "records")
    for name in NAMES:
        shutil.rmtree(desk.folder / name)
    desk.suite.write_text(frozen, encoding="utf-8")
    desk.await_end()
    desk.assert_as_undisturbed()


def test_more_trainings_than_the_queue_may_hold_share_jobs(desk: Desk, watched: Checker) -> None:
    desk.write(seeds=6, queue_limit=2, pack=2)
    desk.submit()
    assert len({desk.job(number) for number in range(6)}) == 2
    desk.await_end()
    desk.assert_as_undisturbed()


def test_wait_follows_to_the_end_and_tells_failures_by_its_status(desk: Desk) -> None:
    desk.write(seeds=1)
    done = desk.call(desk.run("--wait"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "trainings: 1 (1 done)" in done.stdout


def test_what_sbatch_refuses_is_said_and_can_be_submitted_again(desk: Desk) -> None:
    desk.write(partition="nowhere")
    refused = desk.call(desk.run())
    assert refused.returncode == 1
    assert "invalid partition" in refused.stderr.lower()
    assert set(desk.states()) == {"missing"}
    assert "invalid partition" in desk.plan().trainings[0].status.reason.lower()
    desk.write()
    desk.submit()
    desk.await_end()
    desk.assert_as_undisturbed()


def test_a_thousand_cells_are_arranged_in_seconds(desk: Desk) -> None:
    desk.write(seeds=1000, throttle=50)
    started = time.monotonic()
    said = desk.submit("--dry-run")
    assert time.monotonic() - started < 5 * 4, "the bound is 5 s on a free machine"
    assert "1000" in said
    assert not desk.results.exists()


def test_cancel_logs_and_retry(desk: Desk, watched: Checker) -> None:
    desk.write(seeds=3, epochs=40, throttle=1)
    desk.submit()
    desk.await_training()
    waiting = [training.spec.id for training in desk.plan().trainings if training.state == "queued"]
    said = desk.call(desk.command("cancel", desk.suite, "--state", "queued"))
    assert said.stdout.startswith("cancelled: 2 trainings"), said.stdout + said.stderr
    assert sorted(desk.states()) == ["cancelled"] * 4 + ["running"] * 2
    desk.await_end()

    log = desk.call(desk.command("logs", desk.suite, "--state", "done")).stdout
    # Progress is looked at now and then: the last epoch may be over before it is seen.
    assert "/40  loss" in log
    assert log.rstrip().endswith("done")
    options = ("--state", "cancelled", "--id", waiting[0], "--profile", desk.profile, "--data-root", desk.data_root)
    retried = desk.call(desk.command("retry", desk.suite, *options))
    assert retried.returncode == 0, retried.stdout + retried.stderr
    desk.await_end()
    assert sorted(desk.states()) == ["cancelled"] * 2 + ["done"] * 4
    desk.submit()
    desk.await_end()
    desk.assert_as_undisturbed()
