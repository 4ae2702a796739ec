"""Profiles: the resources that jobs request from one SLURM cluster, in YAML. Imports neither torch nor submitit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bench.execute.job import Retries, usual_workers
from bench.execute.slurm.options import sbatch_problems, srun_problems
from bench.execute.slurm.quantities import check_memory, count_gpus, parse_time, scale_gpus
from bench.pose.errors import BenchError
from bench.suite.source import Problem, read_yaml
from bench.suite.structure import ContradictionError, check_structure

MOST_LISTED = 40
"""Most valid numbers of processes that an error lists."""


def _check_line(text: str) -> str:
    # Each of these becomes one line of a script: a line break would add more lines.
    if not text.strip() or not text.isprintable():
        raise ValueError(f"expected a text on one line without control characters, found {text!r:.80}")
    return text


def _check_setup(text: str) -> str:
    if any(line.lstrip().startswith("#SBATCH") for line in text.splitlines()):
        raise ValueError("setup lines must not contain #SBATCH; use the profile's fields or sbatch")
    return text


def _parsed_by(parse: Callable[[str], object]) -> AfterValidator:
    """Refuse what a function refuses with `ValueError`; the text stays as it is."""

    def check(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(check)


def _time_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _check_extra(value: Any) -> Any:
    if isinstance(value, str):
        return _check_line(value)
    if not isinstance(value, int):
        raise ValueError(f"expected a text, a whole number, true or false, found {value!r:.80}")
    return value


Line = Annotated[str, AfterValidator(_check_line)]
Memory = Annotated[Line, _parsed_by(check_memory)]
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class JobShape:
    """How the processes of one training are distributed over nodes, one task each."""

    nodes: int
    tasks_per_node: int
    gpus_per_node: int


class Profile(BaseModel):
    """What jobs request from one cluster.

    Attributes:
        partition: queue; None is the cluster's default.
        account: account that pays for the job.
        qos: quality of service.
        constraint: features that nodes must have.
        reservation: reservation to run in.
        nodes: most nodes that one training may span.
        gpus_per_node: GPUs of a node that one job uses; fewer for a training with fewer processes.
        gres: generic resources of a node, for sites that do not support `gpus_per_node`.
        tasks_per_node: most processes of one training on a node; by default as many as GPUs, or one.
        cpus_per_task: CPUs of each process.
        memory: memory per node, for example "32GB", whatever the number of processes.
        memory_per_cpu: memory per CPU, instead of `memory`.
        time: time limit of a job: minutes, "HH:MM:SS" or "D-HH:MM:SS".
        signal_delay: seconds before the time limit at which the job is told to save and stop.
        throttle: most array tasks that run at once.
        queue_limit: most queued jobs of a suite; further trainings share jobs, one after the other.
        pack: trainings that run at once in one job and share its GPU and CPUs.
        setup: shell lines before the job. They run unchanged: a profile is trusted like a script.
        python: shell command that starts Python; None is this environment's.
        sbatch: more parameters of sbatch by their long names.
        srun: more arguments of srun.
        device: device of the trainings; "auto" is CUDA if the job has GPUs.
        threads: torch's threads per training; by default its share of `cpus_per_task`.
        workers: processes that load crops, per training; by default none on CPUs, `threads` on GPUs, 8 at most.
        cuda_graphs: whether GPUs record training steps and replay them.
        save_every: seconds between checkpoints.
        retries: how often failed trainings are retried.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    partition: Line | None = None
    account: Line | None = None
    qos: Line | None = None
    constraint: Line | None = None
    reservation: Line | None = None
    nodes: Count = 1
    gpus_per_node: Annotated[int, Field(ge=0)] = 0
    gres: Annotated[Line, _parsed_by(count_gpus)] | None = None
    tasks_per_node: Count = Field(default_factory=lambda given: _gpus(given["gpus_per_node"], given["gres"]) or 1)
    cpus_per_task: Count = 1
    memory: Memory | None = None
    memory_per_cpu: Memory | None = None
    time: Annotated[Line, BeforeValidator(_time_text), _parsed_by(parse_time)]
    signal_delay: Annotated[int, Field(ge=1, le=65535)] = 90  # SLURM's own bound
    throttle: Count | None = None
    queue_limit: Count | None = None
    pack: Count = 1
    setup: list[Annotated[str, AfterValidator(_check_setup)]] = []
    python: Line | None = None
    sbatch: dict[str, Annotated[Any, AfterValidator(_check_extra)]] = {}
    srun: list[Line] = []
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Count = Field(default_factory=lambda given: max(1, given["cpus_per_task"] // given["pack"]))
    workers: Annotated[int, Field(ge=0)] | None = None
    cuda_graphs: bool = False
    save_every: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0
    retries: Retries = Retries()

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        problems = [*sbatch_problems(self.sbatch), *srun_problems(self.srun), *self._contradictions()]
        if problems:
            raise ContradictionError(problems)
        return self

    @property
    def minutes(self) -> int:
        """Time limit of a job, rounded up to whole minutes."""
        return parse_time(self.time)

    @property
    def gpus(self) -> int:
        """GPUs of a node that a job with `tasks_per_node` processes uses, whichever way they are requested."""
        return _gpus(self.gpus_per_node, self.gres)

    @property
    def resolved_device(self) -> Literal["cpu", "cuda"]:
        """Device of the trainings, with "auto" resolved."""
        if self.device == "auto":
            return "cuda" if self.gpus else "cpu"
        return self.device

    @property
    def resolved_workers(self) -> int:
        """Processes that load crops, per training."""
        return usual_workers(self.resolved_device, self.threads) if self.workers is None else self.workers

    def shape(self, world_size: int) -> JobShape:
        """Distribute a training of `world_size` processes over as few nodes as possible.

        Raises:
            BenchError: nodes would get unequal shares, or there are too few nodes; the message lists valid sizes.
        """
        tasks = min(world_size, self.tasks_per_node)
        nodes = world_size // tasks if tasks > 0 else 0
        if nodes * tasks != world_size or not 1 <= nodes <= self.nodes:
            several = (self.tasks_per_node * nodes for nodes in range(2, self.nodes + 1))
            valid = [*islice(chain(range(1, self.tasks_per_node + 1), several), MOST_LISTED + 1)]
            listed = [*map(str, valid[:MOST_LISTED]), *(["..."] if len(valid) > MOST_LISTED else [])]
            raise BenchError(
                f"a training of {world_size} processes does not fit this profile (tasks_per_node {self.tasks_per_node},"
                f" nodes {self.nodes}); valid: {', '.join(listed)}"
            )
        return JobShape(nodes, tasks, self._share(self.gpus, tasks))

    def parameters(self, shape: JobShape) -> dict[str, Any]:
        """Keyword arguments for `update_parameters` of submitit's `SlurmExecutor`."""
        gres = scale_gpus(self.gres, lambda count: self._share(count, shape.tasks_per_node)) if self.gres else None
        given = {
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "constraint": self.constraint,
            "time": self.minutes,
            "nodes": shape.nodes,
            "ntasks_per_node": shape.tasks_per_node,
            "cpus_per_task": self.cpus_per_task,
            "gpus_per_node": self._share(self.gpus_per_node, shape.tasks_per_node) or None,
            "gres": gres,
            "mem": self.memory,
            "mem_per_cpu": self.memory_per_cpu,
            "array_parallelism": self.throttle,
            "signal_delay_s": self.signal_delay,
            "setup": list(self.setup) or None,
            # Since SLURM 22.05 srun does not inherit --cpus-per-task from sbatch.
            "srun_args": [f"--cpus-per-task={self.cpus_per_task}", *self.srun],
            "additional_parameters": self._additional_parameters(),
        }
        return {name: value for name, value in given.items() if value is not None}

    def _additional_parameters(self) -> dict[str, Any]:
        # A false switch is omitted: sbatch has no --name=False.
        extra = {name: value for name, value in self.sbatch.items() if value is not False}
        reservation = {"reservation": self.reservation} if self.reservation else {}
        return {"requeue": True, **reservation, **extra}

    def _share(self, count: int, tasks: int) -> int:
        """Number of a node's `count` GPUs for `tasks` of its tasks, rounded up."""
        return -(-count * tasks // self.tasks_per_node)

    def _contradictions(self) -> Iterator[Problem]:
        if self.gpus_per_node and self.gres and count_gpus(self.gres):
            yield Problem(("gres",), "gres and gpus_per_node both ask for GPUs; keep one of them")
        elif self.gpus % self.tasks_per_node and self.device != "cpu":
            message = f"tasks_per_node: {self.tasks_per_node} processes cannot share {self.gpus} GPUs evenly"
            yield Problem(("tasks_per_node",), message)
        if self.memory and self.memory_per_cpu:
            yield Problem(("memory_per_cpu",), "memory_per_cpu and memory exclude each other; keep one of them")
        limit = self.minutes * 60
        if self.signal_delay * 2 > limit:
            message = f"signal_delay: {self.signal_delay} s is too close to the time limit of {limit} s"
            yield Problem(("signal_delay",), f"{message}; at most {limit // 2}, or a longer time")
        if self.pack > 1 and (self.tasks_per_node > 1 or self.nodes > 1):
            message = "pack: only trainings of one process share a job; set tasks_per_node and nodes to 1"
            yield Problem(("pack",), message)
        if self.device == "cuda" and not (self.gpus or self.gres or any("gpu" in name for name in self.sbatch)):
            yield Problem(("device",), "device: cuda needs GPUs; set gpus_per_node or gres")


def load_profile(file: Path) -> Profile:
    """Read and check a profile.

    Raises:
        SuiteError: one `file:line: what` per problem, with what is valid and the nearest valid name.
    """
    return check_structure(read_yaml(file), Profile)


def _gpus(gpus_per_node: int, gres: str | None) -> int:
    return gpus_per_node or (count_gpus(gres) if gres else 0)
