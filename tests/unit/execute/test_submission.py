"""Handing jobs to SLURM, with commands that answer like SLURM's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bench
from bench.execute.job import Job, Resources
from bench.execute.ranks import GroupMember, make_slots
from bench.execute.slurm import task
from bench.execute.slurm.ledger import Ledger
from bench.execute.slurm.profile import Profile
from bench.execute.slurm.scheduler import SchedulerError, ended_jobs, listed_jobs
from bench.execute.slurm.submission import MAX_ARRAY, arrange
from bench.files import StoreError
from bench.planning.plan import Plan, make_plan
from bench.planning.submit import submit_plan
from bench.pose.errors import BenchError
from bench.store.documents import Failure
from bench.store.folders import Store
from bench.store.provenance import code_identity
from bench.suite.expansion import expand
from tests.strangers import strange_folder
from tests.unit.suites import load

Commands = Callable[..., Path]


def profile(**fields: object) -> Profile:
    return Profile.model_validate({"time": "60", **fields})


def jobs(folder: Path, count: int, world_size: int = 1) -> list[Job]:
    cell = expand(load(folder)).cells[-1]
    resources = Resources(
        data_root=folder, results=folder / "results", device="cpu", threads=1, workers=0, save_every=1
    )
    made = []
    for seed in range(count):
        spec = cell.training.model_copy(update={"seed": seed, "world_size": world_size})
        made.append(Job(training=spec, evaluations=cell.evaluations, resources=resources, command="bench run"))
    return made


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Puts commands of SLURM on the path that do as told; each also keeps what it was called with."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def make(name: str, script: str) -> Path:
        file = folder / name
        file.write_text(f'#!/bin/bash\necho "$@" >> {folder}/{name}.calls\n{script}\n', encoding="utf-8")
        file.chmod(0o755)
        return folder / f"{name}.calls"

    make("srun", "")
    return make


@pytest.fixture
def planner(tmp_path: Path) -> Callable[[], Plan]:
    return lambda: make_plan(load(tmp_path), Store(tmp_path / "results"))


def unfinished(plan: Plan) -> list:
    return [training for training in plan.unfinished if not training.under_way]


@given(
    count=st.integers(0, 60),
    pack=st.integers(1, 4),
    limit=st.none() | st.integers(1, 20),
    queued=st.integers(0, 25),
)
def test_every_job_is_in_one_task_or_left(
    tmp_path_factory: pytest.TempPathFactory, count: int, pack: int, limit: int | None, queued: int
) -> None:
    made = [Job.model_construct(training=_Training(str(number))) for number in range(count)]
    arrays, left = arrange(made, profile(pack=pack, queue_limit=limit), "bench-x", queued=queued)
    placed = [id_ for array in arrays for task in array.tasks for id_ in task]
    assert sorted(placed + [job.id for job in left]) == sorted(job.id for job in made)
    tasks = sum(len(array.tasks) for array in arrays)
    if limit is not None:
        assert tasks <= max(limit - queued, 0)
        assert not left or queued >= limit
    else:
        assert all(len(task) <= pack for array in arrays for task in array.tasks)


class _Training:
    """As much of a training as an arrangement looks at."""

    world_size = 1

    def __init__(self, id_: str) -> None:
        self.id = id_


def test_arrays_have_one_kind_of_resources_and_no_more_tasks_than_slurm_takes(tmp_path: Path) -> None:
    mixed = [*jobs(tmp_path, MAX_ARRAY + 1), *jobs(tmp_path, 3, world_size=2)]
    arrays, _ = arrange(mixed, profile(tasks_per_node=2), "bench-x")
    assert [(array.world_size, len(array.tasks)) for array in arrays] == [(1, MAX_ARRAY), (1, 1), (2, 3)]
    assert len({array.name for array in arrays}) == 3
    with pytest.raises(BenchError, match="2 processes does not fit"):
        arrange(mixed, profile(), "bench-x")


def test_a_submission_is_whole_before_slurm_has_it(
    tmp_path: Path, commands: Commands, planner: Callable[[], Plan]
) -> None:
    results = tmp_path / "results"
    calls = commands(
        "sbatch", f"ls {results}/submissions/*/submission.json > {tmp_path}/seen; echo Submitted batch job 7"
    )
    commands("squeue", f"{_pending(results)}")
    store = Store(results)
    first = planner().trainings[0].spec.id
    store.training(first).cancel()
    done = submit_plan(
        planner,
        unfinished,
        profile(throttle=1, setup=["module load x"]),
        data_root=tmp_path,
        results=results,
        allow_links=True,
        loggers={"wandb": tmp_path / "logs" / "wandb"},
    )
    assert (tmp_path / "seen").read_text().strip().endswith("submission.json"), "the intent comes first"
    assert (sum(map(len, done.arrays[0].tasks)), done.errors, done.left) == (2, [], [])
    assert not store.training(first).cancelled

    (folder,) = Ledger(results).folders()
    script = Path(calls.read_text().split()[-1])
    text = next(folder.log.glob("*submission*.sh")).read_text() if not script.exists() else script.read_text()
    assert "#SBATCH --array=0-1%1" in text
    assert "#SBATCH --requeue" in text
    assert text.index("module load x") < text.index("export PYTHONPATH=") < text.index("srun")
    assert {training.state for training in planner().trainings} == {"queued"}
    again = submit_plan(planner, unfinished, profile(), data_root=tmp_path, results=results)
    assert not again.arrays, "what is queued is not submitted again"

    jobs = [json.loads(file.read_text()) for file in folder.path.glob("jobs/*.json")]
    assert {job["resources"]["allow_links"] for job in jobs} == {True}
    assert [job["resources"]["loggers"] for job in jobs] == [{"wandb": f"{tmp_path}/logs/wandb"}] * 2
    snapshot = Path(folder.submission.snapshot)
    assert (snapshot / "bench" / "store" / "leases.py").exists()
    assert json.loads((snapshot / "snapshot.json").read_text()).keys() == {"commit", "dirty", "package"}
    code = "import bench, bench.store.provenance; print(bench.__file__, bench.store.provenance.code_identity().commit)"
    exports = "\n".join(line for line in text.splitlines() if line.startswith("export PYTHON"))
    told = subprocess.run(
        ["bash", "-c", f'{exports}\nexec "$0" -c "{code}"', sys.executable],
        cwd=strange_folder(tmp_path / "elsewhere"),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert told == [str(snapshot / "bench" / "__init__.py"), str(code_identity().commit)]


def _pending(results: Path) -> str:
    """Shell that answers as squeue does while both tasks of the only submission wait."""
    return f"""
[ -e {results}/submissions/*/submission.json ] || exit 0
name=bench-example-$(basename $(dirname {results}/submissions/*/submission.json))-0
for i in 0 1; do echo "7|$i|7|$name|PENDING||Priority"; done
"""


def test_what_slurm_refuses_is_kept_as_the_reason(
    tmp_path: Path, commands: Commands, planner: Callable[[], Plan]
) -> None:
    commands("sbatch", "echo 'sbatch: error: invalid partition specified: x' >&2; exit 1")
    commands("squeue", "")
    done = submit_plan(planner, unfinished, profile(), data_root=tmp_path, results=tmp_path / "results")
    assert done.errors == ["sbatch: error: invalid partition specified: x"]
    (status, *_) = [training.status for training in planner().trainings]
    assert (status.state, status.reason) == ("missing", f"SLURM refused it: {done.errors[0]}")


def test_a_dry_run_touches_nothing(tmp_path: Path, planner: Callable[[], Plan]) -> None:
    done = submit_plan(planner, unfinished, profile(), data_root=tmp_path, results=tmp_path / "results", dry_run=True)
    assert [len(array.tasks) for array in done.arrays] == [2]
    assert not (tmp_path / "results").exists()


def test_squeue_and_sacct_are_read(commands: Commands) -> None:
    commands("squeue", "echo '7|1|9|bench-a-0|RUNNING|n[1-2]|None'; echo '8|N/A|8|bench-b-0|PENDING||(a|b)'")
    found = [(job.id, job.index, job.alive, job.waiting, job.reason) for job in listed_jobs()]
    assert found == [("7_1", 1, True, False, "None"), ("8", None, True, True, "(a|b)")]
    commands(
        "sacct", "echo '7_1|bench-a-0|CANCELLED by 0|n1'; echo '7_[2-5%1]|x|PENDING|'; echo '8|y|OUT_OF_MEMORY|n1'"
    )
    ended = [(job.id, job.index, job.state, job.reason) for job in ended_jobs(["7", "8"])]
    assert ended == [("7_1", 1, "CANCELLED", "by 0"), ("8", None, "OUT_OF_MEMORY", "")]


def test_a_scheduler_that_fails_is_told_from_an_empty_queue(commands: Commands) -> None:
    commands("squeue", "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(SchedulerError, match="squeue: slurm_load_jobs error: Unable to contact"):
        listed_jobs()
    commands("sacct", "exit 1")
    assert ended_jobs(["7"]) == []


@pytest.mark.parametrize(
    ("devices", "pack", "width", "slots"),
    [
        (["cpu"], 1, 1, [("cpu",)]),
        (["cpu"], 3, 1, [("cpu",)] * 3),
        (["cuda:0", "cuda:1"], 1, 1, [("cuda:0",), ("cuda:1",)]),
        (["cuda:0", "cuda:1"], 2, 1, [("cuda:0",), ("cuda:1",)] * 2),
        (["cuda:0", "cuda:1", "cuda:2", "cuda:3"], 1, 2, [("cuda:0", "cuda:1"), ("cuda:2", "cuda:3")]),
        (["cpu"], 1, 4, [("cpu",)]),
    ],
)
def test_slots(devices: list[str], pack: int, width: int, slots: list[tuple[str, ...]]) -> None:
    assert [slot.devices for slot in make_slots(devices, pack=pack, width=width)] == slots


def test_each_process_of_a_job_gets_its_device(tmp_path: Path) -> None:
    (slot,) = make_slots(["cuda:0", "cuda:1"], width=2)
    (job,) = jobs(tmp_path, 1)
    found = [slot.equip(job, GroupMember(rank, 2, "token", rank)).resources.device for rank in range(2)]
    assert found == ["cuda:0", "cuda:1"]


def test_a_failure_is_forgotten_when_it_is_submitted_again(
    tmp_path: Path, commands: Commands, planner: Callable[[], Plan]
) -> None:
    commands("sbatch", "echo Submitted batch job 7")
    commands("squeue", "")
    store = Store(tmp_path / "results")
    for training in planner().trainings:
        store.training(training.spec.id).fail(Failure(kind="DataError", message="no such file"))
    assert {training.state for training in planner().trainings} == {"failed"}
    submit_plan(planner, lambda plan: list(plan.unfinished), profile(), data_root=tmp_path, results=store.root)
    assert not any(store.training(training.spec.id).failure() for training in planner().trainings)


def test_a_task_with_other_code_than_its_submission_stops(tmp_path: Path) -> None:
    """A container may drop PYTHONPATH, and have a bench of its own."""
    own = Path(bench.__file__).parents[1]
    task._check_code(own)
    with pytest.raises(StoreError, match=f"runs the code in {own}, not the copy in {tmp_path}/snapshots/0123"):
        task._check_code(tmp_path / "snapshots" / "0123")
