"""What a file is that was taken for weights and is something else: told by its first bytes, without running code."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["describe_kind", "is_safetensors"]

HEAD = 512
"""Bytes that tell a kind; a tar archive tells it by byte 257."""

BEGINNINGS: Mapping[bytes, str] = {
    b"version https://git-lfs.github.com/spec/": "a Git LFS pointer to the file; `git lfs pull` gets it",
    b"/annex/objects/": "a git-annex pointer to the file; `git annex get` gets it",
    b"PK\x03\x04": "an archive that ends early; get it again",
    b"\x1f\x8b": "compressed by gzip; unpack it first",
    b"BZh": "compressed by bzip2; unpack it first",
    b"\xfd7zXZ": "compressed by xz; unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed by zstd; unpack it first",
    b"7z\xbc\xaf": "a 7z archive; unpack it first",
    b"Rar!": "a RAR archive; unpack it first",
    b"\x89HDF": "an HDF5 file, as Keras writes",
    b"\x93NUMPY": "a NumPy array",
    b"%PDF": "a PDF document",
}
LONGEST_HEADER = 100_000_000
"""Bytes that the header of a file of safetensors may have."""


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as one of safetensors: the length of a header, and the header. False if it is not there."""
    try:
        with path.open("rb") as file:
            head = file.read(9)
        return head[8:] == b"{" and int.from_bytes(head[:8], "little") <= LONGEST_HEADER
    except OSError:
        return False


def describe_kind(path: Path) -> str | None:
    """The kind of a file that holds no weights of torch, in words; None if it may hold some, or cannot be told.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        return "an empty file; get it again"
    if zipfile.is_zipfile(path):
        return _archive(path)
    for beginning, kind in BEGINNINGS.items():
        if head.startswith(beginning):
            return kind
    if head[257:262] == b"ustar":
        return "a tar archive; unpack it first"
    if is_safetensors(path):
        return "a safetensors file, which holds weights and nothing else"
    return _text(head)


def _archive(path: Path) -> str | None:
    """The kind of a zip archive that torch did not write, or that is a program."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.rpartition("/")[2] for name in archive.namelist()]
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        return f"a damaged archive ({error})"
    if "constants.pkl" in names:
        return "a TorchScript program, which would run code; save the network's `state_dict()` instead"
    if "data.pkl" in names:
        return None
    if any(name.endswith(".npy") for name in names):
        return "a NumPy archive (.npz)"
    return "an archive that torch did not write; unpack it first"


def _text(head: bytes) -> str | None:
    try:
        text = head.decode("utf-8", "ignore").lstrip("\ufeff \t\r\n")
        head[:-4].decode("utf-8")  # the last character may be cut in two
    except UnicodeDecodeError:
        return None
    if any(not (letter.isprintable() or letter.isspace()) for letter in text):
        return None
    if text.startswith("<"):
        return "a web page or XML, as of a download that failed; get the file again"
    return "a JSON file" if text.startswith(("{", "[")) else "a text file"
