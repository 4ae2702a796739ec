"""Where each number comes from: one entry per record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bench.plan import BINARY_GIGA, GIGA
from bench.provenance import Provenance
from bench.report.formatting import backbone_name, setting_text
from bench.report.results import Condition, Measurement, Results
from bench.store import Record

__all__ = ["Entry", "Section", "describe_records", "format_time"]


@dataclass(frozen=True)
class Section:
    """Named values under a heading."""

    title: str
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Entry:
    """Provenance of one record.

    Attributes:
        id: of the record.
        title: what it measures.
        sections: spec, versions, hardware, data.
        command: that makes the result again.
        problems: broken images and annotations that were left out.
    """

    id: str
    title: str
    sections: tuple[Section, ...]
    command: str
    problems: tuple[str, ...]


def describe_records(results: Results) -> tuple[Entry, ...]:
    """One entry per record, in the order of the tables."""
    return tuple(
        _entry(results, condition, item, item.record)
        for condition in results.conditions
        for item in condition.measurements
        if item.record is not None
    )


def format_time(seconds: float) -> str:
    """Seconds since the epoch as a date and time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _entry(results: Results, condition: Condition, item: Measurement, record: Record) -> Entry:
    spec = record.training
    title = f"{backbone_name(spec.backbone)}, {results.method(condition)}, {spec.input_size}, seed {spec.seed}"
    sections = (
        _section("Training spec", {"id": spec.id} | spec.model_dump()),
        _section("Evaluation spec", record.spec.model_dump(exclude={"training"})),
        _section("Network", _network(item)),
        _section("Training run", _training_run(results, spec.id)),
        _section("Evaluation run", _run(record.provenance, record.seconds) | {"people": record.people}),
        _section("Versions", record.provenance.versions),
        _section("Hardware", record.provenance.hardware),
        _section("Data, sha256", record.provenance.files),
    )
    training = results.trainings.get(spec.id)
    problems = dict.fromkeys([*(training.problems if training is not None else []), *record.problems])
    return Entry(
        record.id, title, tuple(section for section in sections if section.values), record.provenance.command,
        tuple(problems),
    )  # fmt: skip


def _section(title: str, values: Mapping[str, Any]) -> Section:
    return Section(title, tuple((name, setting_text(value)) for name, value in values.items()))


def _network(item: Measurement) -> dict[str, Any]:
    complexity = item.training.complexity
    return {
        "parameters": f"{complexity.params:,}",
        "GFLOPs (multiply-adds / 1e9)": f"{complexity.multiply_adds / GIGA:.3f}",
        "GFLOPs (as published, / 2^30)": f"{complexity.published_convention / BINARY_GIGA:.3f}",
    }


def _training_run(results: Results, training_id: str) -> dict[str, Any]:
    record = results.trainings.get(training_id)
    if record is None:
        return {}
    details = {"epochs": len(record.history), "weights sha256": record.weights_sha256}
    # Data that training and evaluation share is listed once, with the evaluation's.
    return _run(record.provenance, record.seconds) | details | record.provenance.files


def _run(provenance: Provenance, seconds: float) -> dict[str, Any]:
    dirty = {True: " with uncommitted changes", False: "", None: ""}[provenance.dirty]
    return {
        "commit": f"{provenance.commit}{dirty}" if provenance.commit else "outside a checkout",
        "started": format_time(provenance.started),
        "seconds": f"{seconds:.1f}",
        "seed": provenance.seed,
    }
