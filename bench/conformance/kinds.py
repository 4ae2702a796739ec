"""The kinds of entries by name, each with its registry and its checks. Imports of torch wait until checks are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.conformance.check import Check
from bench.planning.executors import EXECUTORS
from bench.pose.codecs.representation import REPRESENTATIONS
from bench.pose.data.datasets import DATASETS, DatasetInfo
from bench.pose.errors import BenchError, ExtensionError, nearest
from bench.pose.metrics.own import OWN_METRICS
from bench.pose.models.backbone import BACKBONES
from bench.pose.registry import Registry
from bench.report.formats import FORMATS

__all__ = ["KINDS", "Kind", "Surroundings", "find_kind"]

DRAWN = "val16"
"""Split of the built-in drawn dataset that is looked at where none is named."""


@dataclass(frozen=True)
class Surroundings:
    """What checks may need beside a name.

    Attributes:
        data_root: folder with one folder per dataset.
        splits: of a dataset; none for those that are there.
        defined: the dataset that a suite names, whether its own or a registered one, and the splits that it uses.
        profile: for executors.
    """

    data_root: Path
    splits: tuple[str, ...] = ()
    defined: tuple[DatasetInfo, tuple[str, ...]] | None = None
    profile: Path | None = None

    @property
    def datasets(self) -> tuple[str, ...]:
        """Name of the suite's dataset, if there is one."""
        return () if self.defined is None else (self.defined[0].name,)


@dataclass(frozen=True)
class Kind:
    """One kind of entries."""

    registry: Registry[Any]
    checks: Callable[[str, Surroundings], Iterable[Check]]

    def names(self, around: Surroundings) -> list[str]:
        """Everything of this kind that can be checked."""
        own = around.datasets if self.registry is DATASETS else ()
        return list(dict.fromkeys([*self.registry, *own]))


def find_kind(name: str, kind: str | None, around: Surroundings) -> Kind:
    """The kind of a name, which must be told only where several have the name.

    Raises:
        BenchError: nothing is named so, or several things are; the message lists what there is.
    """
    if kind is not None and kind not in KINDS:
        raise BenchError(f"unknown kind {kind!r}{nearest(kind, KINDS)}; valid: {', '.join(KINDS)}")
    searched = KINDS if kind is None else {kind: KINDS[kind]}
    found = [title for title, one in searched.items() if name in one.names(around)]
    if len(found) > 1:
        raise BenchError(f"{name!r} names entries of several kinds, {', '.join(found)}: choose one by --kind")
    if not found:
        known = {title: one.names(around) for title, one in searched.items()}
        close = nearest(name, [other for names in known.values() for other in names])
        lines = (f"  {title}: {', '.join(names) or 'none'}" for title, names in known.items())
        raise BenchError("\n".join([f"nothing is named {name!r}{close}; there are", *lines]))
    return KINDS[found[0]]


def _backbone(name: str, _around: Surroundings) -> Iterable[Check]:
    from bench.conformance.backbones import backbone_checks

    return backbone_checks(name)


def _representation(name: str, _around: Surroundings) -> Iterable[Check]:
    from bench.conformance.codecs import codec_checks

    return codec_checks(name)


def _dataset(name: str, around: Surroundings) -> Iterable[Check]:
    from bench.conformance.datasets import dataset_checks

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


def _metric(name: str, _around: Surroundings) -> Iterable[Check]:
    from bench.conformance.metrics import metric_checks

    return metric_checks(OWN_METRICS[name])


def _executor(name: str, around: Surroundings) -> Iterable[Check]:
    from bench.conformance.executors import executor_checks

    if around.profile is not None:
        EXECUTORS[name].check_profile(name, around.profile)
    return executor_checks(name, around.profile)


def _format(name: str, _around: Surroundings) -> Iterable[Check]:
    from bench.conformance.formats import format_checks

    return format_checks(FORMATS[name])


KINDS: Mapping[str, Kind] = {
    "backbone": Kind(BACKBONES, _backbone),
    "representation": Kind(REPRESENTATIONS, _representation),
    "dataset": Kind(DATASETS, _dataset),
    "metric": Kind(OWN_METRICS, _metric),
    "executor": Kind(EXECUTORS, _executor),
    "format": Kind(FORMATS, _format),
}
"""As `--kind` names them."""
