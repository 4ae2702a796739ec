"""The example of an extension keeps to everything, in a process of its own: registries are the process's."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"

EVERYTHING = """\
import json, sys
from dataclasses import asdict
from pathlib import Path
import torch
from bench.checks import run_checks, source_of
from bench.conformance.kinds import KINDS, Surroundings
from bench.extensions import Extensions

torch.set_num_threads(1)
Extensions(modules=("pose_extras",), folder=Path(sys.argv[1])).load()
around = Surroundings(Path(sys.argv[2]), splits=("val12",))
found = {}
for title, kind in KINDS.items():
    for name in kind.registry:
        origin = kind.registry.origin(name)
        if origin is not None and origin.startswith("pose_extras"):
            found[name] = [asdict(result) for result in run_checks(kind.checks(name, around), source_of(origin))]
print(json.dumps(found))
"""


@pytest.mark.conformance  # a minute, mostly of imports
def test_the_example_keeps_to_everything(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EVERYTHING, str(EXAMPLES), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=600,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {
        "mobile_tiny",
        "mean_of_bins",
        "gingerbread",
        "mean_error",
        "one_by_one",
        "wiki",
        "curves_csv",
    } <= found.keys()
    failed = [(name, result) for name, some in found.items() for result in some if result["verdict"] == "failed"]
    assert failed == []
    skipped = {result["name"] for some in found.values() for result in some if result["verdict"] == "skipped"}
    # Of means of distributions nobody knows the one that a network would learn; no file of `wiki` is HTML.
    assert skipped == {"ideal outputs", "escaping"}
