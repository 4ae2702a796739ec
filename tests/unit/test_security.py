"""What no module does, whatever file it reads: docs/security.md. Where one may, it is named here with the reason."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
MODULES = sorted(file for folder in ("bench", "benchmarks") for file in (REPOSITORY / folder).rglob("*.py"))

FORBIDDEN = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execv", "os.execvp", "os.execve",
    "pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.loads", "shelve.open", "dill.load", "joblib.load",
    "yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load", "pandas.read_pickle",
    "subprocess.getoutput", "subprocess.getstatusoutput", "importlib.import_module", "shutil.unpack_archive",
    "tarfile.open", "tempfile.mktemp",
}  # fmt: skip
"""Calls that run code, or what a file names, or unpack without asking where."""

METHODS = {"extractall", "extract"}
"""Of archives: `bench.pose.data.download.unpack` writes members itself, after it has looked at all of them."""

ALLOWED = {
    # Modules that a suite names under `extensions`, or that a command line does; never a stranger's: see its docstring.
    "bench/extensions.py": {"importlib.import_module"},
    # Modules of the package itself, whose names come from its own folders.
    "bench/pose/builtin.py": {"importlib.import_module"},
    # Parts of the benchmark, which its own main process names.
    "benchmarks/gpu/part.py": {"importlib.import_module"},
    # An archive that is written.
    "benchmarks/gpu/real.py": {"tarfile.open"},
}
"""Forbidden calls by the modules that may make them."""

REQUIRED = {"torch.load": ("weights_only", True)}
"""Arguments without which a call is forbidden."""

REFUSED = {"shell": True, "allow_pickle": True, "weights_only": False}
"""Arguments that no call may have."""


def name_of(function: ast.expr) -> str:
    """The dotted name of what is called; "" where it has none."""
    if isinstance(function, ast.Attribute):
        inner = name_of(function.value)
        return f"{inner}.{function.attr}" if inner else ""
    return function.id if isinstance(function, ast.Name) else ""


def offences(source: str) -> Iterator[str]:
    """Forbidden calls of a module, under the names that it imports them by too."""
    tree = ast.parse(source)
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            aliases |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        first, dot, rest = name_of(node.func).partition(".")
        name = aliases.get(first, first) + dot + rest
        given = {word.arg: word.value for word in node.keywords}
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name in FORBIDDEN or method in METHODS:
            yield f"{node.lineno}: {name or method}"
        for call, (argument, value) in REQUIRED.items():
            if name == call and not _is(given.get(argument), value):
                yield f"{node.lineno}: {name} without {argument}={value}"
        for argument, refused in REFUSED.items():
            if argument in given and not _is(given[argument], not refused):
                yield f"{node.lineno}: {name} with {argument}"


def _is(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_no_module_runs_what_a_file_says(file: Path) -> None:
    found = list(offences(file.read_text(encoding="utf-8")))
    allowed = ALLOWED.get(str(file.relative_to(REPOSITORY)), set())
    assert not [offence for offence in found if offence.partition(": ")[2] not in allowed]


@pytest.mark.parametrize(
    ("source", "offence"),
    [
        ("import torch\ntorch.load(x)", "2: torch.load without weights_only=True"),
        ("import torch\ntorch.load(x, weights_only=False)", "2: torch.load without weights_only=True"),
        ("from torch import load as read\nread(x)", "2: torch.load without weights_only=True"),
        ("import pickle as p\np.load(x)", "2: pickle.load"),
        ("import yaml\nyaml.load(x)", "2: yaml.load"),
        ("from os import system\nsystem(x)", "2: os.system"),
        ("import subprocess\nsubprocess.run(x, shell=True)", "2: subprocess.run with shell"),
        ("import subprocess\nsubprocess.run(x, shell=y)", "2: subprocess.run with shell"),
        ("import numpy as np\nnp.load(x, allow_pickle=True)", "2: numpy.load with allow_pickle"),
        ("eval(x)", "1: eval"),
        ("archive.extractall(x)", "1: archive.extractall"),
    ],
)
def test_the_search_finds(source: str, offence: str) -> None:
    assert offence in list(offences(source))


def test_the_search_lets_what_is_sound_pass() -> None:
    sound = "import torch, numpy\ntorch.load(x, weights_only=True)\nnumpy.load(x, allow_pickle=False)\nmodel.eval()\n"
    assert not list(offences(sound))


def test_what_the_documentation_names_is_there() -> None:
    """Modules and tests that vouch for a rule, by their paths, and functions in them."""
    text = (REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8")
    for path, function in re.findall(r"`((?:bench|tests)/[\w/]+\.py)(?:::(\w+))?`", text):
        assert (REPOSITORY / path).is_file(), path
        assert not function or f"def {function}(" in (REPOSITORY / path).read_text(encoding="utf-8"), function
