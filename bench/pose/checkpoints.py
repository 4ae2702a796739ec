"""Weights files: our own, the reference's released ones, and ImageNet classifiers."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.pose.errors import CheckpointError
from bench.pose.file_kinds import describe_kind
from bench.pose.models.weights import check_hash

__all__ = ["load_file", "load_weights", "read_weights"]

MAX_NAMED = 5


class _Unread:
    """Stands for a number or an array of NumPy beside the weights, of which nothing is built."""

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


NUMPY_NAMES = ("multiarray.scalar", "multiarray._reconstruct")
UNREAD: list[Any] = [
    *((_Unread, f"numpy.{package}.{name}") for package in ("core", "_core") for name in NUMPY_NAMES),
    *((_Unread, name) for name in ("numpy.dtype", "numpy.ndarray")),
]
"""Names by which pickles refer to NumPy's values, such as the AP that the reference's checkpoints hold."""


def load_file(path: Path, *, mapped: bool = False) -> Any:
    """Read a torch file without running code from it.

    Args:
        path: the file.
        mapped: read tensors only when they are used, if the file's format allows that.

    Raises:
        CheckpointError: it is missing, truncated, or holds anything but tensors and plain values.
    """
    try:
        kind = describe_kind(path)
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror or error
        raise CheckpointError(f"{path}: {reason}") from None
    if kind is not None:
        raise CheckpointError(f"{path}: not a readable torch file: it is {kind}")
    archive = zipfile.is_zipfile(path)
    if archive:
        _refuse_compression(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped and archive)
    except pickle.UnpicklingError as error:
        message = f"{path}: refused, it holds more than tensors and plain values ({_refused(error)})"
        raise CheckpointError(message) from None
    except Exception as error:  # garbage makes the unpickler raise anything
        raise CheckpointError(f"{path}: not a readable torch file ({_first(error)})") from None


def _refused(error: pickle.UnpicklingError) -> str:
    """What a pickle would have run, as far as torch names it."""
    found = re.search(r"nsupported (?:global: GLOBAL|GLOBAL|class) (\S+)", str(error))
    return f"{found[1]}, which may run code; save a `state_dict()` instead" if found else "a pickle, which may run code"


def _refuse_compression(path: Path) -> None:
    """Raise `CheckpointError` for an archive that may be far larger inside; torch stores its own as they are."""
    try:
        with zipfile.ZipFile(path) as archive:
            packed = [item.filename for item in archive.infolist() if item.compress_type != zipfile.ZIP_STORED]
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: not a readable torch file ({error})") from None
    if packed:
        raise CheckpointError(f"{path}: not a readable torch file ({packed[0]!r:.80} is compressed)")


def _first(error: Exception) -> str:
    text = (str(error).splitlines() or [type(error).__name__])[0]
    return "unknown contents" if "weights_only" in text else text  # torch advises to run the file's code


def read_weights(path: Path, *, sha256: str | None = None) -> dict[str, Tensor]:
    """The state dict in a weights file: plain, or under `best_state_dict` or `state_dict`, with or without `module.`.

    Where a checkpoint of the reference has both, the best is taken: the reference writes the same weights into the file
    that its test reads. Its optimizer is not read, nor are values of NumPy.

    Args:
        path: of the file.
        sha256: expected hash; None for any.

    Raises:
        CheckpointError: it cannot be read, has another hash or holds no state dict.
    """
    if sha256 is not None:
        check_hash(path, sha256)
    with torch.serialization.safe_globals(UNREAD):
        contents = load_file(path, mapped=True)
    for key in ("best_state_dict", "state_dict"):
        if isinstance(contents, Mapping) and isinstance(contents.get(key), Mapping):
            contents = contents[key]
            break
    if not isinstance(contents, Mapping) or not contents or not all(isinstance(v, Tensor) for v in contents.values()):
        raise CheckpointError(f"{path}: does not hold a state dict of tensors")
    return {str(name).removeprefix("module."): value for name, value in contents.items()}


def load_weights(model: nn.Module, path: Path, *, sha256: str | None = None) -> None:
    """Give a model exactly the weights of a file, whatever number format they are stored in.

    Args:
        model: network, changed in place.
        path: weights file.
        sha256: expected hash; None for any.

    Raises:
        CheckpointError: the file is unusable or has another hash, or keys are missing, unexpected, misshapen or not
            finite; the message names them.
    """
    weights, wanted = read_weights(path, sha256=sha256), model.state_dict()
    problems = [f"missing {name}" for name in wanted if name not in weights]
    problems += [f"unexpected {name}" for name in weights if name not in wanted]
    problems += [
        f"{name} is {tuple(weights[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    if not problems:
        problems = [f"{name} has values that are not finite" for name in wanted if not _sound(weights[name])]
    if problems:
        more = f" and {len(problems) - MAX_NAMED} more" if len(problems) > MAX_NAMED else ""
        raise CheckpointError(f"{path} is not for this network: {'; '.join(problems[:MAX_NAMED])}{more}")
    model.load_state_dict(weights)


def _sound(weights: Tensor) -> bool:
    """Whether they are plain numbers, none of them NaN or infinite."""
    plain = weights.layout == torch.strided and not weights.is_complex() and not weights.is_quantized
    return plain and bool(torch.isfinite(weights.double()).all())  # not every short format knows the question
