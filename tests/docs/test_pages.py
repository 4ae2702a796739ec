"""What the pages name is there: commands and options, targets, links; and the reference is as old as the code."""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from bench.cli import app
from tests.docs.pages import PAGES, ROOT, Page, inline_commands

COMMAND = re.compile(r"(?:^|[\s|>&])(?:\.venv/bin/)?(?:python -m )?bench ((?:[a-z]+ )?[^\n`#]*)")
OPTION = re.compile(r"--[a-z][a-z-]*")


def commands_of(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of everything on a page that looks like a command of ours."""
    yield from inline_commands(path)
    for block in Page.read(path).blocks:
        text = block.text.replace("\\\n", " ")
        if block.directive.kind == "workflow":
            steps = [step for job in yaml.safe_load(text)["jobs"].values() for step in job["steps"]]
            text = "\n".join(" ".join(step.get("run", "").split()) for step in steps)
        for match in COMMAND.finditer(text):
            yield block.line, f"bench {match[1]}"


def known_command(words: list[str]) -> Any:
    """The command that some words begin with; None if there is none."""
    command: Any = typer.main.get_command(app)
    for word in words:
        if word.startswith("-") or not hasattr(command, "commands"):
            break
        if "|" in word:  # such as `bench data list|prepare`: all of them
            return command if all(name in command.commands for name in word.split("|")) else None
        command = command.commands.get(word)
        if command is None:
            return None
    return command


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_commands_and_their_options_exist(path: Path) -> None:
    for line, text in commands_of(path):
        if text.startswith("make "):
            continue
        command = known_command(text.split()[1:])
        assert command is not None, f"{path}:{line}: there is no command {text!r}"
        valid = {flag for option in getattr(command, "params", []) for flag in (*option.opts, *option.secondary_opts)}
        unknown = set(OPTION.findall(re.sub(r"\[no-\]", "", text))) - valid - {"--help"}
        assert not unknown, f"{path}:{line}: {text!r} has no option {unknown}"


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_targets_exist_and_are_run_by_ci(path: Path) -> None:
    makefile, ci = ((ROOT / name).read_text(encoding="utf-8") for name in ("Makefile", ".ci/run"))
    blocks = [block for block in Page.read(path).blocks if block.directive.kind == "make"]
    for line, target in [
        *((line, text.split()[1]) for line, text in inline_commands(path) if text.startswith("make ")),
        *((block.line, name) for block in blocks for name in re.findall(r"^make (\S+)", block.text, re.M)),
    ]:
        assert re.search(rf"^{target}:", makefile, re.M), f"{path}:{line}: there is no target {target!r}"
    run_by_ci = set(re.findall(r"^make (\S+)", ci, re.M)) | {"setup"}  # which every target needs
    for block in blocks:
        assert set(re.findall(r"^make (\S+)", block.text, re.M)) <= run_by_ci, f"{path}:{block.line}: not run by CI"


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_links_lead_somewhere(path: Path) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert ((ROOT / path).parent / target).exists(), f"{path}: nothing at {target}"


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_every_block_says_how_it_is_tested(path: Path) -> None:
    for block in Page.read(path).blocks:
        known = block.directive.kind != "run" or block.language in {"sh", "python"}
        assert known, f"{path}:{block.line}: needs a comment, see tests/docs/__init__.py"


def test_the_reference_is_as_old_as_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["reference.py", "--check"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ROOT / "docs/reference.py"), run_name="__main__")
    assert not end.value.code, end.value.code
