"""Checks of a profile's extra parameters of sbatch and srun."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from bench.suite.source import Problem

_FIELDS = {
    "partition": "partition",
    "account": "account",
    "qos": "qos",
    "constraint": "constraint",
    "reservation": "reservation",
    "nodes": "nodes",
    "gpus": "gpus_per_node",
    "gpus-per-node": "gpus_per_node",
    "gpus-per-task": "gpus_per_node",
    "gres": "gres",
    "ntasks": "tasks_per_node",
    "ntasks-per-node": "tasks_per_node",
    "tasks-per-node": "tasks_per_node",
    "cpus-per-task": "cpus_per_task",
    "mem": "memory",
    "mem-per-cpu": "memory_per_cpu",
    "time": "time",
}
"""Parameters with a field of their own in profiles."""

_HARNESS = {
    "array": "one task per training, or per pack of them",
    "chdir": "jobs run in the folder of the submitting process",
    "comment": "it marks the jobs of a suite",
    "error": "logs are stored beside the results",
    "input": "jobs read no input",
    "job-name": "it names the suite",
    "no-requeue": "preempted jobs go back to the queue",
    "open-mode": "a requeued job appends to its log",
    "output": "logs are stored beside the results",
    "requeue": "preempted jobs go back to the queue",
    "signal": "see signal_delay",
}
"""Parameters that the harness sets, with the reason."""

_UNFIT = {
    "clusters": "jobs are tracked on this cluster only",
    "help": "it submits no job",
    "hold": "the job would wait for `scontrol release`",
    "parsable": "it changes the output that holds the job's id",
    "quiet": "it hides the output that holds the job's id",
    "test-only": "it submits no job",
    "usage": "it submits no job",
    "version": "it submits no job",
    "wait": "submitting would take as long as the job",
    "wrap": "the harness writes the script",
}
"""Parameters that would keep the harness from submitting or tracking a job, with the reason."""

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def sbatch_problems(extra: Mapping[str, object]) -> list[Problem]:
    """Problems of the names of extra sbatch parameters."""
    return [Problem(("sbatch", name), message) for name in extra for message in _sbatch_problem(name)]


def _sbatch_problem(name: str) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield f"{name!r:.80} is not a long option of sbatch; write it without the leading --, for example exclude"
        return
    # sbatch accepts abbreviated options, so abbreviations of these are refused too.
    for refused, reason in {**_FIELDS, **_HARNESS, **_UNFIT}.items():
        if refused == name or (refused.startswith(name) and name not in _FIELDS | _HARNESS | _UNFIT):
            short = "" if refused == name else f" (short for {refused!r})"
            yield f"{name!r}{short}{_why(refused, reason)}"
            return


def _why(name: str, reason: str) -> str:
    if name in _FIELDS:
        return f" has a field of its own: use {reason}"
    if name in _HARNESS:
        return f" is set by the harness: {reason}"
    return f" cannot be used: {reason}"


def srun_problems(extra: Sequence[str]) -> list[Problem]:
    """Problems of extra arguments of srun."""
    problems = []
    for number, argument in enumerate(extra):
        name = argument.partition("=")[0]
        if re.match(r"--(out|err)|-[oe]", argument):
            problems.append(Problem(("srun", number), f"{name!r} is set by the harness: {_HARNESS['output']}"))
        elif re.match(r"--(cpus-per-task|cpus-per-t)|-c", argument):
            problems.append(Problem(("srun", number), f"{name!r} has a field of its own: use cpus_per_task"))
    return problems
