"""Rules of the layout: who may import whom, where torch and pandas may be loaded, unique names, length of files."""

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "bench"
MAX_LINES = 350

ROOMS = [
    {"cli"},
    {"compare", "capsule", "checklist", "conformance", "doctor", "extend"},
    {"report"},
    {"simulation"},
    {"analysis"},
    {"planning"},
    {"execute"},
    {"store"},
    {"suite"},
    {"paper"},
    {"statistics"},
    {"checks"},
    {"extensions"},
    {"files"},
    {"pose"},
]
"""Folders and files of `bench/`, top to bottom. A module imports only modules of its own room or of rooms below it."""

NO_TORCH = [
    "bench.planning.plan",
    "bench.planning.forecast.forecast",
    "bench.planning.submit",
    "bench.suite.schema",
    "bench.suite.expansion",
    "bench.store.folders",
    "bench.paper.published",
    "bench.planning.predicted_complexity",
    "bench.execute.slurm.profile",
    "bench.compare.gate.markdown",
    "bench.compare.gate.update",
    "bench.compare.diff",
    "bench.compare.show",
    "bench.capsule.verification",
    "bench.checklist.answers",
    "bench.checklist.render_checklist",
    "bench.doctor.installation",
    "bench.doctor.isolation",
    "bench.simulation.simulated_records",
    "bench.report",
    "bench.report.writer",
    "bench.cli",
    "bench.cli.status",
]

NO_PANDAS = [
    "bench.cli.plan",
    "bench.cli.status",
    "bench.cli.run",
    "bench.cli.execution",
    "bench.cli.forecasting",
    "bench.cli.listing",
]


@cache
def modules() -> dict[str, Path]:
    """Every module of the package by name."""
    files = sorted(PACKAGE.rglob("*.py"))
    names = [".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts) for file in files]
    return {name.removesuffix(".__init__"): file for name, file in zip(names, files, strict=True)}


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes, those inside functions included and those under `if TYPE_CHECKING` left out."""
    for child in ast.iter_child_nodes(tree):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield child
            yield from nodes(child)


@cache
def imports(module: str) -> frozenset[str]:
    """Modules of the package that a module imports, anywhere in its file; not `bench` itself, which is lazy."""
    found = set()
    for node in nodes(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{module}:{node.lineno}: imports must be absolute"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & modules().keys() or {node.module}
    return frozenset(found & modules().keys() - {"bench"})


def room(module: str) -> int | None:
    """Number of a module's room, from the top; None for `bench` and `bench.__main__`."""
    name = [*module.split("."), ""][1]
    return next((number for number, names in enumerate(ROOMS) if name in names), None)


def test_no_import_runs_up_or_sideways() -> None:
    def allowed(module: str, target: str) -> bool:
        start, end = room(module), room(target)
        same_part = module.split(".")[:2] == target.split(".")[:2]
        return same_part or start is None or (end is not None and start < end)

    assert {name for name in modules() if room(name) is None} == {"bench", "bench.__main__"}
    assert not [
        f"{module} imports {target}"
        for module in modules()
        for target in sorted(imports(module))
        if not allowed(module, target)
    ]


def test_no_import_runs_in_a_circle() -> None:
    left = {module: set(imports(module)) for module in modules()}
    while free := {module for module, targets in left.items() if not targets}:
        left = {module: targets - free for module, targets in left.items() if module not in free}
    # What is left lies on a circle, or imports something that does; drop the latter.
    while unused := left.keys() - set().union(*left.values()):
        left = {module: targets for module, targets in left.items() if module not in unused}
    assert not left, "these modules import each other in a circle"


def test_the_pose_library_can_be_used_alone() -> None:
    pose = [module for module in modules() if module.startswith("bench.pose")]
    assert not [(module, target) for module in pose for target in imports(module) if room(target) != room("bench.pose")]


def loaded(modules: list[str]) -> set[str]:
    """Heavy packages that are loaded once modules are imported, in a fresh process."""
    heavy = {"torch", "submitit", "pandas", "matplotlib"}
    code = f"import sys, {', '.join(modules)}; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_plan_status_and_report_load_no_torch() -> None:
    if loaded(NO_TORCH) & {"torch"}:
        assert not [module for module in NO_TORCH if "torch" in loaded([module])]


def test_plan_status_and_run_load_no_pandas() -> None:
    assert not loaded(NO_PANDAS) & {"torch", "pandas", "matplotlib"}


def test_class_names_are_unique() -> None:
    files = defaultdict(list)
    for file in modules().values():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                files[node.name].append(str(file.relative_to(PACKAGE)))
    assert not {name: where for name, where in files.items() if len(where) > 1}


def test_file_names_are_unique() -> None:
    files = defaultdict(list)
    for file in modules().values():
        if file.stem not in {"__init__", "__main__"} and file.parent != PACKAGE / "cli":
            files[file.stem].append(str(file.relative_to(PACKAGE)))
    assert not {stem: where for stem, where in files.items() if len(where) > 1}


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_files_are_short(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
