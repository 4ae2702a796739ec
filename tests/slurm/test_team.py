"""One training in several processes on several nodes."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from bench.store.documents import TrainingRecord
from tests.slurm.checker import Checker
from tests.slurm.cluster import Cluster, wait_until
from tests.slurm.desk import Desk

pytestmark = pytest.mark.slurm

GROUP = {"nodes": 2, "tasks_per_node": 2, "gpus_per_node": 2}


def processes_of(folder: Path) -> list[int]:
    """Processes that write the training's log, other than the one of its heartbeat."""
    leader = json.loads((folder / "progress.json").read_text())["pid"]
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "fd" / "1") == str(folder / "log.txt"):
                found.append(int(process.name))
        except OSError:
            continue
    return [pid for pid in found if pid != leader]


def record_of(desk: Desk) -> TrainingRecord:
    (folder,) = desk.folders()
    record = folder.record()
    assert record is not None
    return record


def test_two_nodes_of_two_processes_train_what_one_process_does(desk: Desk, watched: Checker, cluster: Cluster) -> None:
    desk.write(world_size=4, epochs=4, **GROUP)
    desk.submit()
    desk.await_training(epoch=1)
    assert len(processes_of(desk.folders()[0].path)) == 3
    assert cluster.ask("squeue", "-h", "-o", "%D").split() == ["2"]
    desk.await_end()
    group = record_of(desk)
    (evaluation,) = desk.plan().trainings[0].evaluations
    score = desk.store.evaluation(evaluation.spec.id).record()

    desk.write(world_size=1, epochs=4)
    desk.submit()
    desk.await_end()
    alone = record_of(desk)
    assert group.spec.world_size == 4
    assert [entry.loss for entry in group.history] == pytest.approx([entry.loss for entry in alone.history], rel=1e-3)
    assert [entry.instances for entry in group.history] == [entry.instances for entry in alone.history]
    (evaluation,) = desk.plan().trainings[0].evaluations
    expected = desk.store.evaluation(evaluation.spec.id).record()
    assert score is not None
    assert expected is not None
    assert score.instances == expected.instances
    assert score.metrics["mean_oks"] == pytest.approx(expected.metrics["mean_oks"], abs=0.05)


def test_kill_of_one_of_the_processes(desk: Desk, watched: Checker) -> None:
    desk.write(world_size=4, epochs=40, **GROUP)
    desk.submit()
    desk.await_training()
    (folder,) = desk.folders()
    first = folder.leases.latest()
    os.kill(processes_of(folder.path)[0], signal.SIGKILL)
    wait_until(lambda: folder.leases.latest() != first, "second try of the whole group")
    desk.await_end()
    desk.assert_as_undisturbed()
    assert "failed" not in watched.seen


def test_requeue_of_a_group(desk: Desk, watched: Checker, cluster: Cluster) -> None:
    desk.write(world_size=4, epochs=40, **GROUP)
    desk.submit()
    desk.await_training()
    cluster.ask("scontrol", "requeue", desk.job())
    desk.await_end()
    desk.assert_as_undisturbed()
