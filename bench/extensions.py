"""Modules that add to the registries: those that a suite names, and entry points of installed packages.

They are code, and importing one runs it: suites that the user names are asked for theirs, a stranger's capsule never.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from bench.pose.codecs.representation import REPRESENTATIONS
from bench.pose.data.datasets import DATASETS
from bench.pose.errors import BenchError, ExtensionError
from bench.pose.metrics.own import OWN_METRICS
from bench.pose.models.backbone import BACKBONES
from bench.pose.registry import Registry

ENTRY_POINTS = "bench.extensions"
"""Group of the entry points of packages that extend bench wherever they are installed; each names a module."""

LONGEST = 200
"""Characters of a module's name."""

RESULT_KINDS: tuple[Registry[Any], ...] = (BACKBONES, REPRESENTATIONS, DATASETS, OWN_METRICS)
"""Registries whose entries decide results; executors and report formats do not."""


def _check_name(name: str) -> str:
    if len(name) > LONGEST or not all(part.isidentifier() for part in name.split(".")):
        raise ValueError(f"{name!r:.80} is not a valid module name, expected for example my_network")
    return name


ModuleName = Annotated[str, AfterValidator(_check_name)]


class Extensions(BaseModel):
    """Modules to import.

    Attributes:
        modules: by name.
        folder: where they are looked for after the path of modules: the suite's. None where nothing else is searched.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    modules: tuple[ModuleName, ...] = ()
    folder: Path | None = None

    @classmethod
    def of(cls, names: Iterable[str]) -> Self:
        """Modules that a command line names, also in the current folder. Raises `ExtensionError` for no name."""
        try:
            return cls(modules=tuple(names), folder=Path.cwd())
        except ValidationError as error:
            raise ExtensionError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None

    def load(self) -> None:
        """Import the entry points of installed packages and these modules; what is imported already stays as it is.

        Raises:
            ExtensionError: one cannot be imported, or adds what is there already; the message says where.
        """
        _load_installed()
        for name in self.modules:
            self.load_module(name)
        sources_of_results()  # as the code is now: later its files may have changed

    def load_module(self, name: str) -> None:
        """Import one of the modules; see `load`."""
        folder = str(self.folder) if self.folder is not None else None
        if folder is not None and folder not in sys.path:
            sys.path.append(folder)
        _import(name, f"extension {name!r}")

    def packages(self) -> dict[str, Path]:
        """The file or folder of each module's top-level package, by its name. They must be loaded."""
        names = dict.fromkeys(name.partition(".")[0] for name in (*self.modules, *_adding_modules()))
        return {name: place_of(name) for name in names}


NO_EXTENSIONS = Extensions()
"""Only what is installed."""


def sources_of_results() -> dict[str, str]:
    """Hash of the code of each top-level package that added something that decides results, by its name.

    Of the code as it was when this was first asked, which `Extensions.load` does: that is the code that runs.
    """
    names = dict.fromkeys(module.partition(".")[0] for module in _adding_modules())
    return {name: _hash_of(name) for name in names}


@cache
def _hash_of(package: str) -> str:
    return content_hash(place_of(package))


@cache
def _load_installed() -> None:
    """Import the entry points of installed packages; looking through all of these takes a while."""
    for point in sorted(entry_points(group=ENTRY_POINTS)):
        _import(point.value, f"extension {point.value!r} of package {point.dist.name if point.dist else '?'}")


def content_hash(place: Path) -> str:
    """sha256 of a module's file, or of all files of a package with their names."""
    digest = hashlib.sha256()
    for file in sorted(source_files(place)):
        digest.update(f"{file.relative_to(place.parent)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def source_files(place: Path) -> Iterator[Path]:
    """Files of a module or package, without what Python or others left there on the way."""
    if place.is_file():
        yield place
        return
    for file in place.rglob("*"):
        hidden = any(part.startswith(".") or part == "__pycache__" for part in file.relative_to(place).parts)
        if file.is_file() and not hidden:
            yield file


def _adding_modules() -> Iterable[str]:
    return sorted({module for kind in RESULT_KINDS for module in map(kind.origin, kind) if module is not None})


def _import(name: str, what: str) -> None:
    try:
        importlib.import_module(name)
    except BenchError as error:
        raise ExtensionError(f"{what}: {error}") from error
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            hint = "; install it, or put it beside the suite or on PYTHONPATH"
            raise ExtensionError(f"{what}: there is no module {error.name!r}{hint}") from None
        raise ExtensionError(f"{what}: {_where(error)}{error}") from error
    except Exception as error:
        raise ExtensionError(f"{what} cannot be imported: {_where(error)}{type(error).__name__}: {error}") from error


def line_in(error: BaseException, places: Collection[Path]) -> str | None:
    """The innermost "file:line" in one of these files or folders that an error came through; None if it is in none."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if any(place in places for place in (file, *file.parents)):
            return f"{file}:{frame.lineno}"
    return None


def _where(error: BaseException) -> str:
    """File and line of the extension that an error comes from."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: "
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    outside = [frame for frame in frames if Path(frame.filename) != Path(__file__)]
    return f"{outside[-1].filename}:{outside[-1].lineno}: " if outside else ""


def place_of(name: str) -> Path:
    """File of a top-level module, or folder of a package. Raises `ExtensionError` for one that is in neither."""
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    if spec is not None and spec.origin is not None and Path(spec.origin).is_file():
        return Path(spec.origin)
    raise ExtensionError(f"extension {name!r} is neither a file nor a folder, so that its code cannot be recorded")
