"""Where each number comes from. What many records share - settings, code, hardware, data - is said once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bench.analysis.formatting import setting_text
from bench.analysis.results import Results
from bench.analysis.rows import as_records, row_title
from bench.pose.data.left_out import summarize
from bench.store.documents import Record, TrainingRecord
from bench.store.provenance import Provenance

OWN = ("backbone", "representation", "input_size", "seed")
"""Settings that the entry of each record names."""

KINDS = ("settings", "code", "hardware", "data", "left out")
"""Kinds of what records share, in the order in which they are printed."""

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
        """The name by which entries refer to it."""
        return f"{self.kind} {self.number}"

    @property
    def anchor(self) -> str:
        """Its mark without spaces, to link to."""
        return self.mark.replace(" ", "-")


@dataclass(frozen=True)
class ProvenanceEntry:
    """Provenance of one record.

    Attributes:
        id: of the record.
        title: what it measures, with the seed.
        values: the network, and what training and evaluation took and gave.
        origins: settings, code, hardware, data and omissions that it shares with others.
        command: that makes the result again.
        simulated: whether its numbers are made up.
    """

    id: str
    title: str
    values: Pairs
    origins: tuple[Origin, ...]
    command: str
    simulated: bool

    @property
    def marks(self) -> str:
        """The marks of its origins."""
        return ", ".join(origin.mark for origin in self.origins)


@dataclass(frozen=True)
class Appendix:
    """Provenance of all records.

    Attributes:
        origins: what entries refer to, by kind.
        entries: one per record, in the order of the tables.
    """

    origins: tuple[Origin, ...]
    entries: tuple[ProvenanceEntry, ...]


def describe_records(results: Results) -> Appendix:
    """Provenance of every record of a report."""
    titles = dict(zip(results.rows.index, map(row_title, as_records(results.rows)), strict=True))
    done = results.frame[results.frame["state"] == "done"]
    records = {id_: results.records[id_] for id_ in done["evaluation"]}
    settings = {id_: _settings(record) for id_, record in records.items()}
    common = _common(list(settings.values()))
    origins: dict[tuple[str, Pairs], Origin] = {}
    entries = []
    for row, (id_, record) in zip(done["row"], records.items(), strict=True):
        training = results.trainings.get(record.training.id)
        own = {name: value for name, value in settings[id_].items() if name not in common and value is not None}
        shared = [("settings", _pairs(common)), ("settings", _pairs(own)), *_shared(record, training)]
        entries.append(
            ProvenanceEntry(
                id=id_,
                title=f"{titles[row]}, seed {record.training.seed}",
                values=_pairs(_values(record, training)),
                origins=tuple(dict.fromkeys(_numbered(origins, *item) for item in shared if item[1])),
                command=record.provenance.command,
                simulated=record.simulated,
            )
        )
    by_kind = sorted(origins.values(), key=lambda origin: KINDS.index(origin.kind))
    return Appendix(tuple(by_kind), tuple(entries))


def format_time(seconds: float) -> str:
    """Seconds since the epoch as a date and time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _settings(record: Record) -> dict[str, Any]:
    """Settings of training and evaluation, but for what each entry says of itself."""
    training = record.training.model_dump(exclude=set(OWN))
    evaluation = record.spec.model_dump(exclude={"training"})
    return training | {f"evaluation {name}": value for name, value in evaluation.items()}


def _common(settings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Settings that are equal everywhere."""
    if not settings:
        return {}
    first, *others = settings
    return {name: value for name, value in first.items() if all(other[name] == value for other in others)}


def _shared(record: Record, training: TrainingRecord | None) -> Iterator[tuple[str, Pairs]]:
    """What a record may have in common with others: kind and values."""
    documents: list[Record | TrainingRecord] = [record, *([training] if training is not None else [])]
    for provenance in (document.provenance for document in documents):
        yield "code", _code(provenance)
        yield "hardware", _pairs(provenance.hardware)
        yield "data", _pairs(provenance.files)
    problems = summarize(problem for document in reversed(documents) for problem in document.problems)
    yield "left out", tuple((str(number), text) for number, text in enumerate(problems, 1))


def _numbered(origins: dict[tuple[str, Pairs], Origin], kind: str, values: Pairs) -> Origin:
    """The origin of this kind with these values: equal ones are one."""
    if (kind, values) not in origins:
        origins[kind, values] = Origin(kind, 1 + sum(known == kind for known, _ in origins), values)
    return origins[kind, values]


def _pairs(values: Mapping[str, Any]) -> Pairs:
    return tuple((name, setting_text(value)) for name, value in values.items())


def _code(provenance: Provenance) -> Pairs:
    return (("code", provenance.code), *provenance.versions.items())


def _values(record: Record, training: TrainingRecord | None) -> dict[str, Any]:
    """The network, and what training and evaluation took and gave."""
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
