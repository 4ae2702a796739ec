"""State dicts as tools wrap them: under keys of a checkpoint, with prefixes, beside averages and counters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

__all__ = ["WrappedWeights", "strip_wrappers", "unwrap"]

AVERAGES = ("state_dict_ema", "model_ema", "ema_state_dict", "ema", "ema_model", "params_ema", "averaged_model")
"""Keys under which checkpoints keep the average of the weights over steps, beside the weights of the last step."""

KEYS = (
    "best_state_dict",
    *AVERAGES,
    "state_dict",
    "model_state_dict",
    "model",
    "module",
    "net",
    "network",
    "weights",
    "params",
)
"""Keys under which checkpoints keep a state dict, best first: of the average rather than of the last step."""

WRAPPERS = ("module", "_forward_module", "model", "net", "network", "ema_model", "pose_net")
"""First parts of names that say nothing of a network: of DistributedDataParallel, Lightning and averages."""

COUNTERS = ("n_averaged", "steps", "step", "num_updates", "updates", "initted", "decay")
"""Entries of averages that are no weights."""

COMPILED = "_orig_mod."

DEPTH = 3
"""Parts of a prefix at most, as in `ema.module.model.`, and keys within keys of a checkpoint."""


@dataclass(frozen=True)
class WrappedWeights:
    """A state dict within a file.

    Attributes:
        entries: by the names that are left.
        layout: what it was wrapped in, in words; empty for a plain state dict.
    """

    entries: Mapping[str, Tensor]
    layout: tuple[str, ...] = ()

    def under(self, prefix: str) -> WrappedWeights:
        """The entries whose names begin with a prefix, without it."""
        start = f"{prefix}."
        kept = {name.removeprefix(start): value for name, value in self.entries.items() if name.startswith(start)}
        averaged = any(part in {"ema", "averaged"} for part in prefix.lower().replace(".", "_").split("_"))
        return WrappedWeights(kept, (*self.layout, f"{'the average' if averaged else 'the network'} under `{start}`"))

    def candidates(self) -> Iterator[WrappedWeights]:
        """These entries, and those under each beginning of names: a checkpoint may hold more than one network."""
        yield self
        parts = [name.split(".") for name in self.entries]
        for prefix in dict.fromkeys(
            ".".join(each[:end]) for end in range(1, DEPTH + 1) for each in parts if each[end:]
        ):
            yield self.under(prefix)


def unwrap(contents: object) -> WrappedWeights | None:
    """The state dict in the contents of a file, without what wrappers and averages add to names; None without one.

    Where a file holds the weights of the last step and their average, it is the average, as their authors evaluate;
    mmengine has swapped the two when it saves.
    """
    layout: list[str] = []
    if isinstance(contents, Mapping) and "pytorch-lightning_version" in contents:
        layout.append("a checkpoint of Lightning")
    for _ in range(DEPTH):  # a mapping may contain itself
        key = None if _is_state_dict(contents) else _state_key(contents)
        if key is not None:
            layout += [f"the average under `{key}`"] if key in AVERAGES else []
            contents = contents[key]  # type: ignore[index]
    if not isinstance(contents, Mapping) or not _is_state_dict(contents):
        return None
    entries = {str(name): value for name, value in contents.items()}
    return _without_marks(WrappedWeights(entries, tuple(layout)))


def _is_state_dict(contents: object) -> bool:
    values = contents.values() if isinstance(contents, Mapping) else ()
    return bool(values) and all(isinstance(value, Tensor) for value in values)


def _state_key(contents: object) -> str | None:
    if not isinstance(contents, Mapping):
        return None
    swapped = isinstance(contents.get("ema_state_dict"), Mapping) and "steps" in contents["ema_state_dict"]
    keys = [key for key in KEYS if not (swapped and key == "ema_state_dict")]
    return next((key for key in keys if isinstance(contents.get(key), Mapping) and contents[key]), None)


def _without_marks(weights: WrappedWeights) -> WrappedWeights:
    """Without torch.compile's mark, wherever it stands, and without an average's counters."""
    entries = {name.replace(COMPILED, ""): value for name, value in weights.entries.items()}
    layout = [*weights.layout]
    if len(entries) < len(weights.entries):
        return weights  # with and without the mark: not one network
    if entries.keys() != weights.entries.keys():
        layout.append("compiled by torch.compile")
    counters = [name for name in COUNTERS if name in entries and entries[name].numel() == 1]
    if "n_averaged" in counters:
        layout.append("the average of an AveragedModel")
    return WrappedWeights({n: v for n, v in entries.items() if n not in counters}, tuple(layout))


def strip_wrappers(weights: WrappedWeights) -> WrappedWeights:
    """Without the prefixes of wrappers that all names share."""
    for prefix in WRAPPERS:
        if weights.entries and all(name.startswith(f"{prefix}.") for name in weights.entries):
            return strip_wrappers(weights.under(prefix))
    return weights
