"""Profiles of SLURM clusters."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bad_inputs.case import Case, Meet
from tests.unit.suites import SUITE

PROFILE = "partition: gpu\ntime: 01:00:00\ngpus_per_node: 1\ncpus_per_task: 4\nmemory: 32GB\n"
COMMAND = "run example.yaml --executor slurm --profile profile.yaml --dry-run"


def case(name: str, contents: str, *says: str) -> Case:
    def build(folder: Path) -> None:
        (folder / "example.yaml").write_text(SUITE)
        (folder / "profile.yaml").write_text(contents)

    return Case(name, build, COMMAND, says)


def edit(name: str, old: str, new: str, *says: str) -> Case:
    assert old in PROFILE
    return case(name, PROFILE.replace(old, new), *says)


CASES = [
    case("empty", "", "profile.yaml:1: expected a mapping with time"),
    case("no time", "partition: gpu\n", "profile.yaml:1: the key 'time' is missing"),
    edit(
        "unknown key", "partition", "partitoin", "profile.yaml:1: unknown key 'partitoin' (did you mean 'partition'?)"
    ),
    edit("key twice", "partition: gpu", "partition: gpu\npartition: cpu", "profile.yaml:2: 'partition' is given twice"),
    edit("time that is none", "01:00:00", "01:00", "profile.yaml:2: time: '01:00' is not a time limit; write minutes"),
    edit("no time at all", "01:00:00", "0", "profile.yaml:2: time: a time limit of '0' leaves no time"),
    edit("memory that is none", "32GB", "lots", "profile.yaml:5: memory: 'lots' is not an amount of memory"),
    edit(
        "a line break",
        "gpu\n",
        '"gpu\\n#SBATCH --exclusive"\n',
        "profile.yaml:1: partition: expected a text on one line",
    ),
    edit(
        "sbatch in the setup", "memory: 32GB", "setup: ['#SBATCH --qos=high']", "setup lines must not contain #SBATCH"
    ),
    edit("negative GPUs", "gpus_per_node: 1", "gpus_per_node: -1", "profile.yaml:3: gpus_per_node: Input should be"),
    edit(
        "GPUs that are none",
        "gpus_per_node: 1",
        "gres: 'gpu;rm'",
        "profile.yaml:3: gres: 'gpu;rm' is not a list of generic",
    ),
    edit("GPUs twice", "memory: 32GB", "gres: gpu:2", "profile.yaml:5: gres and gpus_per_node both ask for GPUs"),
    edit(
        "signal beyond the limit",
        "memory: 32GB",
        "signal_delay: 3600",
        "profile.yaml:5: signal_delay: 3600 s is too close",
    ),
    edit(
        "memory twice",
        "memory: 32GB",
        "memory: 32GB\nmemory_per_cpu: 4GB",
        "memory_per_cpu and memory exclude each other",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_profiles(case: Case, meet: Meet) -> None:
    meet(case)
