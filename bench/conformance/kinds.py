"""The kinds of entries by name, each with its registry and its checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.checks import Check
from bench.conformance.backbone_checks import backbone_checks
from bench.conformance.codec_checks import codec_checks
from bench.conformance.dataset_checks import dataset_checks
from bench.conformance.executor_checks import executor_checks
from bench.conformance.format_checks import format_checks
from bench.conformance.logger_checks import logger_checks
from bench.conformance.metric_checks import metric_checks
from bench.execute.logger import LOGGERS
from bench.planning.executors import EXECUTORS
from bench.pose.codecs.representation import REPRESENTATIONS
from bench.pose.data.datasets import DATASETS, DatasetInfo
from bench.pose.errors import BenchError, ExtensionError, nearest
from bench.pose.metrics.own import OWN_METRICS
from bench.pose.models.backbone import BACKBONES
from bench.pose.registry import Registry
from bench.report.formats import FORMATS

DRAWN = "val16"
"""Split of the synthetic dataset that is checked by default."""


@dataclass(frozen=True)
class Surroundings:
    """Further inputs of checks.

    Attributes:
        data_root: folder with one folder per dataset.
        splits: splits of a dataset; empty for the existing ones.
        defined: dataset of a suite and the splits that the suite uses.
        profile: profile of executors.
    """

    data_root: Path
    splits: tuple[str, ...] = ()
    defined: tuple[DatasetInfo, tuple[str, ...]] | None = None
    profile: Path | None = None


@dataclass(frozen=True)
class EntryKind:
    """One kind of entries."""

    registry: Registry[Any]
    checks: Callable[[str, Surroundings], list[Check]]

    def names(self, around: Surroundings) -> list[str]:
        """Everything of this kind that can be checked."""
        own = [around.defined[0].name] if around.defined and self.registry is DATASETS else []
        return list(dict.fromkeys([*self.registry.listed(), *own]))


def find_kind(name: str, kind: str | None, around: Surroundings) -> EntryKind:
    """The kind of the entry with this name; `kind` is needed if several kinds have the name.

    Raises:
        BenchError: no entry or several entries have the name; the message lists all names.
    """
    if kind is not None and kind not in KINDS:
        raise BenchError(f"unknown kind {kind!r}{nearest(kind, KINDS)}; valid: {', '.join(KINDS)}")
    searched = KINDS if kind is None else {kind: KINDS[kind]}
    found = [title for title, one in searched.items() if name in one.names(around) or one.registry.has_family(name)]
    if len(found) > 1:
        raise BenchError(f"{name!r} names entries of several kinds, {', '.join(found)}: choose one by --kind")
    if found and searched[found[0]].registry.has_family(name):
        searched[found[0]].registry.named(name)
    if not found:
        known = {title: one.names(around) for title, one in searched.items()}
        close = nearest(name, [other for names in known.values() for other in names])
        lines = (f"  {title}: {', '.join(names) or 'none'}" for title, names in known.items())
        raise BenchError("\n".join([f"no entry is named {name!r}{close}; there are", *lines]))
    return KINDS[found[0]]


def _dataset(name: str, around: Surroundings) -> list[Check]:
    used = around.defined if around.defined is not None and around.defined[0].name == name else None
    info, of_suite = used or (DATASETS.named(name), ())
    folder, annotations = around.data_root / name, info.layout.annotations
    if annotations.count("SPLIT") != 1:
        raise ExtensionError(f"dataset {name!r}: its annotations {annotations!r} need SPLIT once, for a split's name")
    drawn = (DRAWN,) if DATASETS.origin(name) is None and info.generate is not None else ()
    splits = around.splits or of_suite or tuple(info.splits(folder)) or drawn
    if not splits:
        raise BenchError(f"no split of {name!r} is in {folder}: name one by --split, or its folder's by --data-root")
    return dataset_checks(info, folder, splits)


def _executor(name: str, around: Surroundings) -> list[Check]:
    if around.profile is not None:
        EXECUTORS[name].check_profile(name, around.profile)
    return executor_checks(EXECUTORS[name], around.profile)


KINDS: Mapping[str, EntryKind] = {
    "backbone": EntryKind(BACKBONES, lambda name, _around: backbone_checks(name)),
    "representation": EntryKind(REPRESENTATIONS, lambda name, _around: codec_checks(name)),
    "dataset": EntryKind(DATASETS, _dataset),
    "metric": EntryKind(OWN_METRICS, lambda name, _around: metric_checks(OWN_METRICS[name])),
    "executor": EntryKind(EXECUTORS, _executor),
    "format": EntryKind(FORMATS, lambda name, _around: format_checks(FORMATS[name])),
    "logger": EntryKind(LOGGERS, lambda name, _around: logger_checks(name)),
}
"""As `--kind` names them."""
