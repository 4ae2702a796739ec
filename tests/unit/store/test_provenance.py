"""Which code a result names, and the versions of what it was made with."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import bench
from bench.extensions import content_hash
from bench.store import provenance
from bench.store.provenance import CodeIdentity, collect, identify


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@b.c"]
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A stranger's repository with a commit."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "README.md").write_text("theirs")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "theirs")
    return folder


@pytest.fixture
def package(repository: Path) -> Path:
    """A package as an installer leaves it, in an environment in the repository."""
    folder = repository / ".venv" / "lib" / "site-packages" / "bench"
    (folder / "store").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "store" / "provenance.py").write_text("1")
    return folder


def install(package: Path, monkeypatch: pytest.MonkeyPatch, origin: str | None) -> None:
    """Write down where the package came from, as installers do."""
    written = package.parent / "bench-1.dist-info"
    written.mkdir()
    (written / "METADATA").write_text(f"Name: {bench.DISTRIBUTION}\nVersion: 1\n")
    if origin is not None:
        (written / "direct_url.json").write_text(origin)
    installed = importlib.metadata.Distribution.at(written)
    monkeypatch.setattr(provenance, "distribution", lambda _name: installed)


def test_the_repository_around_an_environment_is_not_the_code(package: Path) -> None:
    assert identify(package) == CodeIdentity(package=content_hash(package))


def test_a_tracked_package_names_its_commit_and_changes(package: Path, repository: Path) -> None:
    git(repository, "add", "-f", str(package))
    git(repository, "commit", "-qm", "vendored")
    commit = git(repository, "rev-parse", "HEAD")
    assert identify(package) == CodeIdentity(commit=commit, dirty=False, package=content_hash(package))
    (package / "__init__.py").write_text("changed = True")
    assert identify(package) == CodeIdentity(commit=commit, dirty=True, package=content_hash(package))


def test_git_started_by_a_hook_names_no_other_repository(
    package: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(Path(bench.__file__).parents[1] / ".git"))
    assert identify(package).commit is None


@pytest.mark.parametrize(
    ("origin", "commit"),
    [
        (json.dumps({"url": "https://x", "vcs_info": {"vcs": "git", "commit_id": "f" * 40}}), "f" * 40),
        (json.dumps({"url": "file:///x", "dir_info": {"editable": True}}), None),
        (json.dumps({"url": "https://x/bench.whl", "archive_info": {}}), None),
        ("[]", None),
        ("{", None),
        (None, None),
    ],
)
def test_an_installer_knows_the_commit(
    origin: str | None, commit: str | None, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(package, monkeypatch, origin)
    assert identify(package) == CodeIdentity(commit=commit, package=content_hash(package))


def test_another_copy_than_the_installed_one_is_not_its_commit(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(package, monkeypatch, json.dumps({"vcs_info": {"commit_id": "f" * 40}}))
    copy = shutil.copytree(package, tmp_path / "copy" / "bench")
    assert identify(copy).commit is None


def test_a_snapshot_is_believed_if_it_is_of_this_very_package(package: Path) -> None:
    known = CodeIdentity(commit="c" * 40, dirty=True, package=content_hash(package))
    file = package.parent / provenance.SNAPSHOT_FILE
    file.write_text(known.model_dump_json())
    assert identify(package) == known
    for text in ('{"of": "somebody else"}', known.model_copy(update={"package": "0" * 64}).model_dump_json()):
        file.write_text(text)
        assert identify(package) == CodeIdentity(package=content_hash(package))


def test_without_git_the_package_is_named(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert identify(package).code == f"package with sha256 {content_hash(package)}"


def test_versions_carry_their_build(tmp_path: Path) -> None:
    """PyPI's wheels leave the build out of their metadata."""
    packages = {"torch": "2.11.0", "torchvision": "0.26.0", "numpy": "2.4.6"}
    builds = {"torch": '__version__ = "2.11.0+cu130"', "torchvision": "__version__ = '9.9.9+other'", "numpy": ""}
    for name, line in builds.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError")
        (tmp_path / name / "version.py").write_text(f"from typing import Optional\n{line}\ncuda = None\n")
    code = f"""if True:
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        from bench.store import provenance
        provenance.version = {packages}.__getitem__
        print(*map(provenance._version, {list(packages)}))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2.11.0+cu130", "0.26.0", "2.4.6"]


def test_cuda_and_cudnn_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    def versions() -> dict[str, str]:
        return collect(device="cpu", threads=1, files={}, seed=0, command="").versions

    monkeypatch.setattr("torch.version.cuda", None)
    monkeypatch.setattr("torch.backends.cudnn.version", lambda: None)
    assert not {"cuda", "cudnn"} & versions().keys()
    monkeypatch.setattr("torch.version.cuda", "13.0")
    monkeypatch.setattr("torch.backends.cudnn.version", lambda: 91300)
    assert (versions()["cuda"], versions()["cudnn"]) == ("13.0", "91300")
    assert versions()["torch"] == torch.__version__
