"""Files that are complete or absent, even if the process that writes them is killed."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.pose.errors import BenchError

STORED = {"stored": True}
"""Context in which documents of the store are validated: they may name what only an extension knows."""

LEFTOVER = ".partial"

DocumentT = TypeVar("DocumentT", bound=BaseModel)


class StoreError(BenchError):
    """A file of the results folder cannot be read or written."""


class JsonDocument(BaseModel):
    """Base of the documents that are stored as JSON: frozen, without unknown fields, NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def write_atomically(path: Path, write: Callable[[IO[bytes]], object], *, durable: bool = True) -> None:
    """Write a file so that at any moment it is the old one or the new one.

    Args:
        path: path of the file; its folder is made if needed.
        write: writes the contents to the open temporary file.
        durable: sync the file before it takes its name, so that it survives a power cut too.

    Raises:
        StoreError: the file cannot be written, for example because the disk is full; the old file stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{LEFTOVER}")
    refusals: list[OSError] = []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with io.BufferedWriter(_RawFile(temporary, refusals)) as file:
            write(file)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
        if durable:
            _sync_folder(path.parent)
    except (OSError, RuntimeError) as error:
        if isinstance(error, OSError):
            refusals.append(error)
        if not refusals:
            raise
        raise StoreError(f"cannot write {path}: {refusals[0].strerror or refusals[0]}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


class _RawFile(io.FileIO):
    """A new file that remembers the system's errors, which torch would replace by errors of its own."""

    def __init__(self, path: Path, refusals: list[OSError]) -> None:
        super().__init__(path, "wb")
        self._refusals = refusals

    def write(self, data: Any) -> int:
        """See `io.FileIO`."""
        try:
            return super().write(data)
        except OSError as error:
            self._refusals.append(error)
            raise


def _sync_folder(folder: Path) -> None:
    """Make a rename in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, contents: bytes, *, durable: bool = True) -> None:
    """Write bytes; see `write_atomically`."""
    write_atomically(path, lambda file: file.write(contents), durable=durable)


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:
    """Write a value as indented JSON, atomically. NaN is refused, because JSON has none."""
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    write_bytes(path, text.encode(), durable=durable)


def read_json(path: Path) -> Any:
    """Parse a JSON file; None if there is none. Raises `StoreError` naming the file if it is unreadable."""
    contents = _read(path)
    return None if contents is None else _parse(path, contents)


def _read(path: Path) -> bytes | None:
    """Contents of a file; None if there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error


def _parse(path: Path, contents: bytes) -> Any:
    """Parse the contents of a JSON file."""
    try:
        value = json.loads(contents)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is not valid JSON ({error}); remove it to have its result made again") from error
    if value is None:
        raise StoreError(f"{path} holds nothing; remove it to have its result made again")
    return value


def load_document(path: Path, kind: type[DocumentT]) -> DocumentT | None:
    """A JSON file as the document that it holds; None if there is none. Raises `StoreError` naming what is wrong."""
    contents = _read(path)
    if contents is None:
        return None
    # Parsed and checked in one pass, several times as fast. What this refuses is read once more: it may be a text with
    # half a surrogate pair, which is how the names of files come that are no UTF-8, and errors are ours.
    with contextlib.suppress(ValidationError):
        return kind.model_validate_json(contents, context=STORED)
    try:
        return kind.model_validate(_parse(path, contents), context=STORED)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise StoreError(f"{path}: {where}: {first['msg']}; remove it to have its result made again") from None


def remove(path: Path) -> None:
    """Remove a file, if it exists. Raises `StoreError` if that fails."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        if not os.path.lexists(path):
            return  # a file system that is read-only refuses even that
        raise StoreError(f"cannot remove {path}: {error.strerror or error}") from error


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files of killed writers. Only the holder of the folder's lease may call it."""
    for file in folder.rglob(f".*{LEFTOVER}"):
        remove(file)


def sha256(path: Path) -> str:
    """Hash of a file's contents."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def printable(text: str) -> str:
    """Untrusted text without the characters that control a terminal."""
    return "".join(character if character.isprintable() or character == "\n" else "\ufffd" for character in text)
