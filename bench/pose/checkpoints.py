"""Weights files: our own, the reference's released ones, and ImageNet classifiers."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from bench.pose.errors import CheckpointError
from bench.pose.file_kinds import describe_kind, is_safetensors
from bench.pose.models.foreign_weights import ForeignWeights, translate
from bench.pose.models.network_facts import NetworkFacts, read_facts
from bench.pose.models.weights import check_hash
from bench.pose.wrapped_weights import WrappedWeights, strip_wrappers, unwrap

__all__ = [
    "FoundWeights",
    "identify_weights",
    "load_file",
    "load_weights",
    "read_metadata",
    "read_weights",
]

MAX_NAMED = 5
COUNTER = ".num_batches_tracked"


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


class _Unbuilt:
    """Stands for an object of a framework beside the weights: a mapping that takes any state and does nothing."""

    def __new__(cls, *_: object) -> Any:
        return OrderedDict()


BYSTANDERS = re.compile(
    r"(?:mmengine|mmcv|mmpose|mmdet|lightning|lightning_fabric|pytorch_lightning|omegaconf|pathlib|datetime)\..+"
    r"|argparse\.Namespace|getattr"
)
"""Objects that frameworks put beside weights: settings, histories and dates. None is built, and nothing of it runs."""


@dataclass(frozen=True)
class FoundWeights:
    """Weights of a network in a file.

    Attributes:
        translated: by bench's names.
        layout: what they were wrapped in, in words; empty for a plain state dict.
    """

    translated: ForeignWeights
    layout: tuple[str, ...] = ()

    @property
    def entries(self) -> Mapping[str, Tensor]:
        """The network's weights by bench's names."""
        return self.translated.entries

    @property
    def source(self) -> str:
        """Whose names the file has, such as "mmpose 1.x"; empty for bench's own."""
        return self.translated.source

    @property
    def unknown(self) -> str:
        """What the network has that none of bench has; empty for nothing."""
        return self.translated.unknown

    @cached_property
    def facts(self) -> NetworkFacts | None:
        """What the weights say of their network; None where its trunk or head is unknown."""
        return read_facts(self.entries)

    @property
    def described(self) -> str:
        """Where they come from, in words; empty for a plain file of bench or the reference."""
        return ", ".join(part for part in (self.source, *self.layout) if part)

    def fits(self, wanted: Collection[str]) -> bool:
        """Whether these are the wanted names, counters aside."""
        return all(name.endswith(COUNTER) for name in self.entries.keys() ^ set(wanted))


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
        raise CheckpointError(message) from error
    except Exception as error:  # garbage makes the unpickler raise anything
        raise CheckpointError(f"{path}: not a readable torch file ({_first(error)})") from None


def _refused(error: BaseException | None) -> str:
    """What a pickle would have run, as far as torch names it."""
    name = _refused_name(error)
    return f"{name}, which may run code; save a `state_dict()` instead" if name else "a pickle, which may run code"


def _refused_name(error: BaseException | None) -> str | None:
    found = re.search(r"nsupported (?:global: GLOBAL|GLOBAL|class) (\S+)", str(error))
    return found[1] if found else None


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
    """The entries of `identify_weights`, which see."""
    return dict(identify_weights(path, sha256=sha256).entries)


def identify_weights(path: Path, wanted: Collection[str] = (), *, sha256: str | None = None) -> FoundWeights:
    """The weights of a network in a file, by bench's names.

    The state dict may lie under a key of a checkpoint, its names may have prefixes of wrappers and may be mmpose's: see
    `unwrap` and `translate`. Where a checkpoint of the reference has two, the best is taken: the reference writes
    the same weights into the file that its test reads. Optimizers are not read, nor are objects beside the weights.

    Args:
        path: of the file.
        wanted: names of the network's weights; they decide where a file holds several modules.
        sha256: expected hash; None for any.

    Raises:
        CheckpointError: it cannot be read, has another hash, or holds no state dict, or several that fit equally well.
    """
    if sha256 is not None:
        check_hash(path, sha256)
    weights = unwrap(_read_contents(path))
    if weights is None:
        raise CheckpointError(f"{path}: does not hold a state dict of tensors")
    if wanted and not weights.entries.keys() ^ set(wanted):
        return FoundWeights(ForeignWeights(weights.entries), weights.layout)
    return _best(path, weights, set(wanted))


def _best(path: Path, weights: WrappedWeights, wanted: set[str]) -> FoundWeights:
    """The network of a state dict that has the wanted names or, with none wanted, is one that bench knows."""
    found = [found for each in weights.candidates() for found in _readings(each)]
    exact = [each for each in found if (each.fits(wanted) if wanted else each.facts is not None)]
    averaged = [each for each in exact if any("average" in words for words in each.layout)]
    if len(exact) > 1 and len(averaged) != 1:
        listed = ", ".join(each.layout[-1] if each.layout else "all entries" for each in exact)
        raise CheckpointError(f"{path}: holds {len(exact)} networks ({listed}); save the `state_dict()` of one of them")
    if exact:
        return averaged[0] if averaged else exact[0]
    if wanted:
        return max(found, key=lambda each: len(wanted & each.entries.keys()))
    plain = strip_wrappers(weights)
    return FoundWeights(translate(plain.entries), plain.layout)


def _readings(weights: WrappedWeights) -> Iterator[FoundWeights]:
    """The entries by their own names, and by bench's if they are mmpose's: a network of one's own may have a `head`."""
    translated = translate(weights.entries)
    yield FoundWeights(translated, weights.layout)
    if translated.source:
        yield FoundWeights(ForeignWeights(weights.entries), weights.layout)


def _read_contents(path: Path) -> Any:
    """What a weights file holds, of torch or of safetensors."""
    if is_safetensors(path):
        try:
            return safetensors.torch.load_file(path)
        except (safetensors.SafetensorError, OSError, ValueError) as error:
            raise CheckpointError(f"{path}: not a readable safetensors file ({error})") from None
    unread = [*UNREAD]
    while True:
        try:
            with torch.serialization.safe_globals(unread):
                return load_file(path, mapped=True)
        except CheckpointError as error:
            name = _refused_name(error.__cause__) or ""
            if not BYSTANDERS.fullmatch(name) or (_Unbuilt, name) in unread:
                raise
            unread += [(_Unbuilt, name), (_Unbuilt, f"builtins.{name}")]  # torch leaves out `builtins.`


def read_metadata(path: Path) -> Mapping[str, str]:
    """What a readable file of safetensors says of itself, such as the representation; empty for other files."""
    if not is_safetensors(path):
        return {}
    with safetensors.safe_open(path, "pt") as file:
        return file.metadata() or {}


def load_weights(model: nn.Module, path: Path, *, sha256: str | None = None) -> FoundWeights:
    """Give a model exactly the weights of a file, whatever number format they are stored in; returns what was found.

    Counters of batch normalization may be missing, as in files of early torch: evaluation does not read them.

    Args:
        model: network, changed in place.
        path: weights file.
        sha256: expected hash; None for any.

    Raises:
        CheckpointError: the file is unusable or has another hash, or keys are missing, unexpected, misshapen or not
            finite; the message names them, and both networks where they are known to differ.
    """
    wanted = model.state_dict()
    found = identify_weights(path, wanted, sha256=sha256)
    weights = found.entries
    problems = [f"missing {name}" for name in wanted if name not in weights and not name.endswith(COUNTER)]
    problems += [f"unexpected {name}" for name in weights if name not in wanted]
    problems += [
        f"{name} is {tuple(weights[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    if not problems:
        problems = [f"{name} has values that are not finite" for name in weights if not _sound(weights[name])]
    if not problems:
        variances = [name for name in weights if name.endswith(".running_var")]
        problems = [f"{name} has variances below 0" for name in variances if (weights[name].double() < 0).any()]
    if problems:
        more = f" and {len(problems) - MAX_NAMED} more" if len(problems) > MAX_NAMED else ""
        listed = f"{'; '.join(problems[:MAX_NAMED])}{more}"
        raise CheckpointError(f"{path} is not for this network: {_contradiction(found, model)}{listed}")
    model.load_state_dict({**wanted, **weights})
    return found


def _contradiction(found: FoundWeights, model: nn.Module) -> str:
    """What the file holds and what was asked for, as far as both are known; empty where nothing says so."""
    if found.unknown:
        return f"it holds weights of {found.source} with {found.unknown}, which bench does not build; "
    wanted = read_facts(model.state_dict())
    keypoints = getattr(model, "keypoints", None)
    held = "" if found.facts is None else found.facts.describe(keypoints)
    asked = "" if wanted is None else wanted.describe(keypoints)
    if held and asked and held != asked:
        return f"it holds {found.source and f'weights of {found.source}, '}{held}; asked for is {asked}: "
    return f"it holds weights of {found.source}; " if found.source else ""


def _sound(weights: Tensor) -> bool:
    """Whether they are plain numbers, none of them NaN or infinite."""
    plain = weights.layout == torch.strided and not weights.is_complex() and not weights.is_quantized
    return plain and bool(torch.isfinite(weights.double()).all())  # not every short format knows the question
