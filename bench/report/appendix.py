"""Where each number comes from. What many records share - settings, code, hardware, data - is said once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from bench.analysis.formatting import setting_text
from bench.analysis.results import Condition, Measurement, Results
from bench.report.details import row_title
from bench.store.documents import Record, TrainingRecord
from bench.store.provenance import Provenance

__all__ = ["Appendix", "Entry", "Origin", "Pairs", "describe_records", "format_time"]

OWN = ("backbone", "representation", "input_size", "seed")
"""Settings that the entry of each record names."""

KINDS = ("settings", "code", "hardware", "data", "left out")
"""Of what records share, in the order in which it is printed."""

Pairs = tuple[tuple[str, str], ...]
"""Names with their values, as printed."""


@dataclass(frozen=True)
class Origin:
    """Something that records share.

    Attributes:
        kind: one of `KINDS`.
        number: among those of its kind.
        values: names with their values.
    """

    kind: str
    number: int
    values: Pairs

    @property
    def mark(self) -> str:
        """By which entries refer to it."""
        return f"{self.kind} {self.number}"

    @property
    def anchor(self) -> str:
        """Its mark without spaces, to link to."""
        return self.mark.replace(" ", "-")


@dataclass(frozen=True)
class Entry:
    """Provenance of one record.

    Attributes:
        id: of the record.
        title: what it measures.
        seed: of the training.
        values: the network, and what training and evaluation took and gave.
        origins: settings, code, hardware, data and omissions that it shares with others.
        command: that makes the result again.
        simulated: whether its numbers are made up.
    """

    id: str
    title: str
    seed: int
    values: Pairs
    origins: tuple[Origin, ...]
    command: str
    simulated: bool


@dataclass(frozen=True)
class Appendix:
    """Provenance of all records.

    Attributes:
        origins: what entries refer to, by kind.
        entries: one per record, in the order of the tables.
    """

    origins: tuple[Origin, ...]
    entries: tuple[Entry, ...]


def describe_records(results: Results) -> Appendix:
    """Provenance of every record of a report."""
    sources = [
        _Source(item.record, item, condition, results.trainings.get(item.record.training.id))
        for condition in results.conditions
        for item in condition.measurements
        if item.record is not None
    ]
    common = _common([source.settings for source in sources])
    pool = _Pool()
    entries = tuple(_entry(results, source, common, pool) for source in sources)
    origins = sorted(pool.origins.values(), key=lambda origin: KINDS.index(origin.kind))
    return Appendix(tuple(origins), entries)


def format_time(seconds: float) -> str:
    """Seconds since the epoch as a date and time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


@dataclass(frozen=True)
class _Pool:
    """Origins by kind and contents: equal ones are one."""

    origins: dict[tuple[str, Pairs], Origin] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def share(self, kind: str, values: Pairs) -> Iterator[Origin]:
        """The origin of this kind with these values, unless they are empty."""
        if values:
            key = (kind, values)
            if key not in self.origins:
                self.counts[kind] += 1
                self.origins[key] = Origin(kind, self.counts[kind], values)
            yield self.origins[key]


@dataclass(frozen=True)
class _Source:
    """A record with what it is the result of."""

    record: Record
    measurement: Measurement
    condition: Condition
    training: TrainingRecord | None

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """Of training and evaluation, but for what each entry says of itself."""
        training = self.record.training.model_dump(exclude=set(OWN))
        evaluation = self.record.spec.model_dump(exclude={"training"})
        return training | {f"evaluation {name}": value for name, value in evaluation.items()}

    @property
    def provenances(self) -> tuple[Provenance, ...]:
        """Of the evaluation and of the training."""
        training = self.training
        return (self.record.provenance, *([training.provenance] if training is not None else []))

    @property
    def problems(self) -> tuple[str, ...]:
        """What was left out of training and evaluation, each once."""
        training = self.training
        return tuple(dict.fromkeys([*(training.problems if training is not None else []), *self.record.problems]))


def _entry(results: Results, source: _Source, common: Mapping[str, Any], pool: _Pool) -> Entry:
    record = source.record
    return Entry(
        id=record.id,
        title=row_title(results, source.condition),
        seed=source.measurement.seed,
        values=_pairs(_values(source)),
        origins=tuple({origin.mark: origin for origin in _origins(source, common, pool)}.values()),
        command=record.provenance.command,
        simulated=record.simulated,
    )


def _origins(source: _Source, common: Mapping[str, Any], pool: _Pool) -> Iterator[Origin]:
    own = {name: value for name, value in source.settings.items() if name not in common and value is not None}
    yield from pool.share("settings", _pairs(common))
    yield from pool.share("settings", _pairs(own))
    for provenance in source.provenances:
        yield from pool.share("code", _code(provenance))
        yield from pool.share("hardware", _pairs(provenance.hardware))
        yield from pool.share("data", _pairs(provenance.files))
    yield from pool.share("left out", tuple((str(number), text) for number, text in enumerate(source.problems, 1)))


def _common(settings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Settings that are equal everywhere."""
    if not settings:
        return {}
    first, *others = settings
    return {name: value for name, value in first.items() if all(other[name] == value for other in others)}


def _pairs(values: Mapping[str, Any]) -> Pairs:
    return tuple((name, setting_text(value)) for name, value in values.items())


def _code(provenance: Provenance) -> Pairs:
    dirty = " with uncommitted changes" if provenance.dirty else ""
    commit = f"{provenance.commit}{dirty}" if provenance.commit else "outside a checkout"
    return (("commit", commit), *provenance.versions.items())


def _values(source: _Source) -> dict[str, Any]:
    """The network, and what training and evaluation took and gave."""
    record, training = source.record, source.training
    values: dict[str, Any] = {name: getattr(record.training, name) for name in OWN}
    values |= {"training": record.training.id}
    if training is not None:
        values |= {
            "trained": format_time(training.provenance.started),
            "training seconds": f"{training.seconds:.1f}",
            "epochs done": len(training.history),
            "weights sha256": training.weights_sha256,
        }
    return values | {
        "evaluated": format_time(record.provenance.started),
        "evaluation seconds": f"{record.seconds:.1f}",
        "instances": record.instances,
        "scored by": record.scored_by,
    }
