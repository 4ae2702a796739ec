"""Profiles: every mistake is named with its line, and what sbatch gets is what the profile says."""

import contextlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from submitit.slurm.slurm import _get_default_parameters, _make_sbatch_string

from bench.execute.slurm.profile import JobShape, Profile, load_profile
from bench.execute.slurm.quantities import check_memory, count_gpus, parse_time, scale_gpus
from bench.pose.errors import BenchError
from bench.suite.source import SuiteError

EXAMPLES = sorted((Path(__file__).parents[3] / "slurm" / "profiles").glob("*.yaml"))

PROFILE = """\
partition: gpu
account: lab
time: 12:30:00
gpus_per_node: 1
cpus_per_task: 8
memory: 32GB
setup:
  - module load cuda
sbatch:
  exclude: node[1-3]
srun: [--label]
retries:
  killed: 1
"""

MISTAKES = {
    # The change to the profile, the line that the error must name, and what it must say.
    "unknown key": (("account: lab", "acount: lab"), 2, "unknown key 'acount' (did you mean 'account'?)"),
    "unknown key's alternatives": (("account: lab", "group: lab"), 2, "valid: partition, account, qos"),
    "unknown retry": (("killed: 1", "kiled: 1"), 13, "'kiled' (did you mean 'killed'?); valid: killed, out_of_memory"),
    "key no text": (("account: lab", "3: lab"), 2, "the key 3 is not a text"),
    "no time": (("time: 12:30:00\n", ""), 1, "the key 'time' is missing"),
    "repeated key": (("account: lab", "partition: gpu"), 2, "'partition' is given twice"),
    "text for a number": (("cpus_per_task: 8", "cpus_per_task: eight"), 5, "should be a valid integer, found 'eight'"),
    "truth for a number": (("cpus_per_task: 8", "cpus_per_task: true"), 5, "should be a valid integer, found True"),
    "number for a text": (("partition: gpu", "partition: 3"), 1, "partition: Input should be a valid string, found 3"),
    "no CPU": (("cpus_per_task: 8", "cpus_per_task: 0"), 5, "should be greater than or equal to 1"),
    "negative retries": (("killed: 1", "killed: -1"), 13, "should be greater than or equal to 0"),
    "no frequency": (("account: lab", "save_every: 0"), 2, "save_every: Input should be greater than 0"),
    "endless frequency": (("account: lab", "save_every: .inf"), 2, "save_every: Input should be a finite number"),
    "unknown device": (("account: lab", "device: gpu"), 2, "device: Input should be 'auto', 'cpu' or 'cuda'"),
    "minutes and seconds": (("12:30:00", "30:00"), 3, "'30:00' is not a time limit; write minutes, HH:MM:SS or"),
    "61 minutes": (("12:30:00", "12:61:00"), 3, "'12:61:00' is not a time limit"),
    "25 hours of a day": (("12:30:00", "1-25:00:00"), 3, "'1-25:00:00' is not a time limit"),
    "no time at all": (("12:30:00", "00:00:00"), 3, "leaves no time"),
    "fraction of a minute": (("12:30:00", "1.5"), 3, "time: Input should be a valid string, found 1.5"),
    "truth for a time": (("12:30:00", "true"), 3, "time: Input should be a valid string, found True"),
    "memory without unit": (("32GB", '"32"'), 6, "'32' is not an amount of memory; write a whole number and a unit"),
    "memory with a fraction": (("32GB", "1.5GB"), 6, "'1.5GB' is not an amount of memory"),
    "two kinds of memory": (("memory: 32GB", "memory: 32GB\nmemory_per_cpu: 4GB"), 7, "exclude each other"),
    "two ways to ask for GPUs": (("memory: 32GB", "memory: 32GB\ngres: gpu:2"), 7, "gres and gpus_per_node both ask"),
    "no generic resource": (("gpus_per_node: 1", "gres: gpu=2"), 4, "'gpu=2' is not a list of generic resources"),
    "two types of GPU": (("gpus_per_node: 1", "gres: gpu:a:1,gpu:b:1"), 4, "names GPUs more than once"),
    "more processes than GPUs": (("account: lab", "tasks_per_node: 2"), 2, "2 processes cannot share 1 GPUs evenly"),
    "a warning after the start": (("12:30:00", "2"), 1, "90 s is too close to the time limit of 120 s; at most 60"),
    "a warning too early": (("account: lab", "signal_delay: 22501"), 2, "signal_delay: 22501 s is too close"),
    "a warning that SLURM cannot give": (("account: lab", "signal_delay: 65536"), 2, "less than or equal to 65535"),
    "a pack over nodes": (("account: lab", "nodes: 2\npack: 2"), 3, "pack: only trainings of one process share a job"),
    "a pack of pairs": (("gpus_per_node: 1", "gpus_per_node: 2\npack: 2"), 5, "set tasks_per_node and nodes to 1"),
    "CUDA without GPU": (("gpus_per_node: 1", "device: cuda"), 4, "device: cuda needs GPUs"),
    "line break": (("account: lab", 'account: "lab\\n#SBATCH --uid=0"'), 2, "a text on one line without control"),
    "unicode line break": (("account: lab", 'account: "a\\u2028b"'), 2, "a text on one line without control"),
    "escape": (("account: lab", 'account: "\\e[2J"'), 2, "a text on one line without control characters"),
    "blank": (("account: lab", 'account: " "'), 2, "account: expected a text on one line"),
    "line break for Python": (("account: lab", 'python: "python\\nrm"'), 2, "python: expected a text on one line"),
    "line break for sbatch": (("node[1-3]", '"a\\nb"'), 10, "exclude: expected a text on one line"),
    "line break for srun": (("--label", '"a\\nb"'), 11, "srun: expected a text on one line"),
    "sbatch in setup": (("module load cuda", '"#SBATCH --uid=0"'), 8, "setup: setup lines must not contain #SBATCH"),
    "setup no list": (("setup:\n  - module load cuda", "setup: module load cuda"), 7, "setup: Input should be a"),
    "sbatch no mapping": (("sbatch:\n  exclude: node[1-3]", "sbatch: --exclude=x"), 9, "sbatch: Input should be a"),
    "fraction for sbatch": (("node[1-3]", "1.5"), 10, "expected a text, a whole number, true or false, found 1.5"),
    "list for sbatch": (("node[1-3]", "[a]"), 10, "expected a text, a whole number, true or false, found ['a']"),
    "nothing for sbatch": (("node[1-3]", ""), 10, "expected a text, a whole number, true or false, found None"),
    "dashes before a parameter": (("exclude:", "--exclude:"), 10, "'--exclude' is not a long option of sbatch"),
    "short option": (("exclude:", "A B:"), 10, "'A B' is not a long option of sbatch; write it without the leading --"),
    "break in a parameter": (("exclude:", '"a\\nb":'), 10, "is not a long option of sbatch"),
    "number as parameter": (("exclude:", "3:"), 10, "the key 3 is not a text"),
    "parameter of the harness": (("exclude: node[1-3]", "requeue: true"), 10, "'requeue' is set by the harness: preem"),
    "name of the job": (("exclude:", "job-name:"), 10, "'job-name' is set by the harness: it names the suite"),
    "name written with _": (("exclude:", "job_name:"), 10, "'job_name' is not a long option of sbatch"),
    "beginning of a name": (("exclude:", "outp:"), 10, "'outp' (short for 'output') is set by the harness: logs"),
    "parameter with a field": (("exclude:", "mem:"), 10, "'mem' has a field of its own: use memory"),
    "beginning of a field": (("exclude:", "ntasks-per-n:"), 10, "(short for 'ntasks-per-node') has a field of its own"),
    "parameter that hides the number": (("exclude:", "parsable:"), 10, "'parsable' cannot be used: it changes the out"),
    "log of srun": (("--label", "--label, --output=x"), 11, "'--output' is set by the harness: logs are stored beside"),
    "short log of srun": (("--label", "-o, x"), 11, "'-o' is set by the harness"),
    "CPUs of srun": (("--label", "--cpus-per-task=2"), 11, "'--cpus-per-task' has a field of its own"),
}  # fmt: skip


def read(text: str, folder: Path) -> Profile:
    file = folder / "profile.yaml"
    file.write_text(text, encoding="utf-8")
    return load_profile(file)


def changed(*changes: tuple[str, str]) -> str:
    text = PROFILE
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} is not once in the profile"
        text = text.replace(old, new)
    return text


def errors(text: str, folder: Path) -> list[tuple[int, str]]:
    """Line and message of each problem."""
    with pytest.raises(SuiteError) as caught:
        read(text, folder)
    found = [re.fullmatch(r".*profile\.yaml:(\d+): (.*)", line) for line in str(caught.value).splitlines()]
    assert all(found), f"a problem lacks file or line: {caught.value}"
    return [(int(match[1]), match[2]) for match in found if match]


def script(profile: Profile, world_size: int = 1, **more: Any) -> list[str]:
    """Lines of the script that submitit makes of a profile."""
    parameters = profile.parameters(profile.shape(world_size))
    assert set(parameters) <= set(_get_default_parameters())
    return _make_sbatch_string("python -m job", "/folder", map_count=5, **parameters, **more).splitlines()


@pytest.mark.parametrize(("change", "line", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_its_line(change: tuple[str, str], line: int, message: str, tmp_path: Path) -> None:
    found = errors(changed(change), tmp_path)
    assert [at for at, said in found if message in said] == [line], found
    assert len(found) == 1, "one mistake, one problem"


def test_several_mistakes_are_reported_at_once_in_file_order(tmp_path: Path) -> None:
    changes = (("32GB", "32"), ("account: lab", "acount: lab"), ("killed: 1", "killed: x"), ("12:30:00", "x"))
    assert [line for line, _ in errors(changed(*changes), tmp_path)] == [2, 3, 6, 13]
    changes = (("exclude:", "mem: 3\n  job-name:"), ("--label", "--error=x"), ("account: lab", "memory_per_cpu: 1GB"))
    assert [line for line, _ in errors(changed(*changes), tmp_path)] == [2, 10, 11, 12]


@pytest.mark.parametrize("text", ["", "- time: 3", "gpu"], ids=["empty", "list", "text"])
def test_a_file_that_is_no_profile_is_refused(text: str, tmp_path: Path) -> None:
    assert errors(text, tmp_path) == [(1, "expected a mapping with time")]


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_examples_load_and_make_scripts(file: Path) -> None:
    profile = load_profile(file)
    for world_size in (1, profile.tasks_per_node, profile.tasks_per_node * profile.nodes):
        lines = script(profile, world_size)
        assert "#SBATCH --requeue" in lines
        assert f"#SBATCH --signal=USR2@{profile.signal_delay}" in lines
    comments = [line for line in file.read_text(encoding="utf-8").splitlines() if "#" in line]
    assert len(comments) >= 4, "an example explains itself"


def test_there_is_an_example_for_each_kind_of_cluster() -> None:
    names = {file.stem for file in EXAMPLES}
    assert names >= {"gpu", "scavenger", "gres_modules", "container", "cpu", "multi_gpu", "packed", "local"}


def test_what_a_profile_says_is_what_sbatch_gets(tmp_path: Path) -> None:
    changes = (("account: lab", "account: lab\nqos: high prio\nreservation: it's ours\nthrottle: 3\nsignal_delay: 77"),)
    text = changed(*changes, ("node[1-3]", "node[1-3]\n  exclusive: true\n  nice: 0\n  spread-job: false"))
    lines = script(read(text, tmp_path))
    wanted = {
        "partition=gpu", "account=lab", "qos='high prio'", "time=750", "nodes=1", "ntasks-per-node=1",
        "cpus-per-task=8", "gpus-per-node=1", "mem=32GB", "signal=USR2@77", "array=0-4%3", "exclude='node[1-3]'",
        "exclusive", "nice=0", "requeue", "reservation=" + shlex.quote("it's ours"),
    }  # fmt: skip
    found = {line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH")}
    assert wanted <= found
    assert {line.partition("=")[0] for line in found - wanted} == {"error", "job-name", "open-mode", "output", "wckey"}
    assert "module load cuda" in lines
    command = next(line for line in lines if line.startswith("srun"))
    assert "--cpus-per-task=8 --label python -m job" in command


def test_least_profile_asks_for_nothing_more() -> None:
    profile = Profile(time="60")
    assert profile.parameters(profile.shape(1)) == {
        "time": 60, "nodes": 1, "ntasks_per_node": 1, "cpus_per_task": 1, "signal_delay_s": 90,
        "srun_args": ["--cpus-per-task=1"], "additional_parameters": {"requeue": True},
    }  # fmt: skip
    assert (profile.resolved_device, profile.gpus, profile.threads, profile.python) == ("cpu", 0, 1, None)
    assert profile.retries.model_dump() == {"killed": 2, "out_of_memory": 0, "exception": 0, "stalled": 3}


def test_defaults_follow_other_fields() -> None:
    assert Profile(time="60", gpus_per_node=4).tasks_per_node == 4
    assert Profile(time="60", gres="license:2,gpu:h100:2").tasks_per_node == 2
    assert Profile(time="60", gpus_per_node=4, tasks_per_node=1).tasks_per_node == 1
    assert Profile(time="60", cpus_per_task=9, pack=4).threads == 2
    assert Profile(time="60", cpus_per_task=2, pack=4).threads == 1
    assert Profile(time="60", cpus_per_task=8, threads=3).threads == 3
    assert Profile(time="60", gres="gpu").resolved_device == "cuda"
    assert Profile(time="60", gpus_per_node=1, device="cpu").resolved_device == "cpu"


def test_a_profile_cannot_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Profile(time="60").time = "90"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("written", "minutes"),
    [("90", 90), ('"90"', 90), ("12:30:00", 750), ("100:00:00", 6000), ("1-00:00:00", 1440), ("00:01:01", 2)],
)
def test_times_however_yaml_reads_them(written: str, minutes: int, tmp_path: Path) -> None:
    assert read(f"time: {written}\nsignal_delay: 15", tmp_path).minutes == minutes


FOUR = Profile(time="60", gpus_per_node=4, nodes=3, gres="license:1")


@pytest.mark.parametrize(
    ("world_size", "shape"),
    [(1, (1, 1, 1)), (2, (1, 2, 2)), (3, (1, 3, 3)), (4, (1, 4, 4)), (8, (2, 4, 4)), (12, (3, 4, 4))],
)
def test_layouts_take_as_few_nodes_and_gpus_as_they_can(world_size: int, shape: tuple[int, int, int]) -> None:
    found = FOUR.shape(world_size)
    assert found == JobShape(*shape)
    parameters = FOUR.parameters(found)
    assert (parameters["nodes"], parameters["ntasks_per_node"], parameters["gpus_per_node"]) == shape


@pytest.mark.parametrize("world_size", [-1, 0, 5, 6, 16])
def test_layouts_that_do_not_fit_are_refused_with_what_would(world_size: int) -> None:
    with pytest.raises(BenchError, match=rf"training of {world_size} processes .* valid: 1, 2, 3, 4, 8, 12$"):
        FOUR.shape(world_size)


def test_generic_resources_shrink_with_the_processes() -> None:
    profile = Profile(time="60", gres="nvme:1,gpu:a100:8", tasks_per_node=4)
    asked = [profile.parameters(profile.shape(size)) for size in (1, 2, 4)]
    assert [item["gres"] for item in asked] == ["nvme:1,gpu:a100:2", "nvme:1,gpu:a100:4", "nvme:1,gpu:a100:8"]
    assert not any("gpus_per_node" in item for item in asked)
    assert profile.shape(2).gpus_per_node == 4


def test_processes_without_gpus_spread_too() -> None:
    profile = Profile(time="60", tasks_per_node=2, nodes=2)
    assert profile.shape(4) == JobShape(nodes=2, tasks_per_node=2, gpus_per_node=0)
    assert "gpus_per_node" not in profile.parameters(profile.shape(4))


@given(
    hours=st.integers(0, 99), minutes=st.integers(0, 59), seconds=st.integers(1, 59), days=st.none() | st.integers(0, 9)
)
def test_seconds_count_as_a_minute(hours: int, minutes: int, seconds: int, days: int | None) -> None:
    text = (
        f"{hours:02}:{minutes:02}:{seconds:02}" if days is None else f"{days}-{hours % 24:02}:{minutes:02}:{seconds:02}"
    )
    whole = hours * 60 + minutes if days is None else (days * 24 + hours % 24) * 60 + minutes
    assert parse_time(text) == whole + 1


@given(amount=st.integers(1, 10**8), unit=st.sampled_from("KMGT"), byte=st.sampled_from(["", "B"]))
def test_memory_has_a_unit(amount: int, unit: str, byte: str) -> None:
    check_memory(f"{amount}{unit}{byte}")
    for wrong in (f"{amount}", f"0{amount}{unit}", f"{amount} {unit}"):
        with pytest.raises(ValueError, match="for example 32GB"):
            check_memory(wrong)


@given(
    kind=st.none() | st.from_regex(r"\A[a-z][a-z0-9_]{0,6}\Z"),
    count=st.integers(1, 99),
    others=st.lists(st.sampled_from(["license:1", "nvme", "tmp:disk:3"]), max_size=2),
)
def test_generic_resources_round_trip(kind: str | None, count: int, others: list[str]) -> None:
    gres = ",".join([*others, ":".join(filter(None, ("gpu", kind, str(count))))])
    assert count_gpus(gres) == count
    assert count_gpus(scale_gpus(gres, lambda found: found * 2)) == count * 2
    assert scale_gpus(gres, int).split(",")[-1] == gres.split(",")[-1]


@settings(max_examples=300)
@given(text=st.text(max_size=12) | st.text("0123456789:-", max_size=10))
def test_anything_else_is_refused_as_a_value_error(text: str) -> None:
    for parse in (parse_time, count_gpus):
        with contextlib.suppress(ValueError):
            assert parse(text) >= 0


@given(value=st.text(min_size=1, max_size=20))
def test_no_text_adds_a_line_to_the_script(value: str) -> None:
    plain = len(script(Profile(time="60", account="x", sbatch={"exclude": "x"})))
    try:
        profile = Profile(time="60", account=value, sbatch={"exclude": value})
    except ValueError:
        assert not value.strip() or not value.isprintable()
        return
    lines = script(profile)
    assert len(lines) == plain
    assert f"#SBATCH --account={shlex.quote(value)}" in lines


@pytest.mark.parametrize(
    ("lines", "workers"),
    [
        ("gpus_per_node: 1\ncpus_per_task: 6\n", 6),
        ("gpus_per_node: 1\ncpus_per_task: 32\n", 8),
        ("gpus_per_node: 1\ncpus_per_task: 32\npack: 8\n", 4),
        ("gpus_per_node: 1\ncpus_per_task: 6\nworkers: 0\n", 0),
        ("cpus_per_task: 6\n", 0),
        ("cpus_per_task: 6\nworkers: 2\n", 2),
    ],
)
def test_who_loads_crops(lines: str, workers: int, tmp_path: Path) -> None:
    (tmp_path / "profile.yaml").write_text(f"time: 10\n{lines}")
    assert load_profile(tmp_path / "profile.yaml").resolved_workers == workers
