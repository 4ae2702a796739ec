"""The rules of the layout: who imports whom, who needs torch, how long a file may be."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "bench"
MAX_LINES = 350
TORCHLESS = [
    "bench.planning.plan",
    "bench.suite.schema",
    "bench.suite.expansion",
    "bench.store.folders",
    "bench.paper.rows",
    "bench.planning.predicted_complexity",
    "bench.execute.slurm.profile",
    "bench.planning.forecast.forecast",
    "bench.compare.gate.markdown",
    "bench.compare.gate.update",
    "bench.capsule.verification",
    "bench.compare.diff",
    "bench.compare.show",
    "bench.doctor.installation",
    "bench.doctor.isolation",
    "bench.simulation.simulated_records",
]
LATER = ["bench.report", "bench.cli"]
"""Parts that need no torch either, once they are there."""


def imported(file: Path) -> set[str]:
    """Modules that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{file}:{node.lineno}: imports are absolute here"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("file", sorted((PACKAGE / "pose").rglob("*.py")), ids=lambda file: file.stem)
def test_the_pose_library_can_be_used_alone(file: Path) -> None:
    names = imported(file)
    assert not {name for name in names if name.startswith("bench.") and not name.startswith("bench.pose.")}


@pytest.mark.parametrize("module", TORCHLESS + [name for name in LATER if importlib.util.find_spec(name)])
def test_planning_and_reporting_import_no_torch(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({{'torch', 'cv2', 'pycocotools', 'submitit'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not {"torch", "submitit"} & set(done.stdout.split())


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_files_are_short(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
