"""What differs between two cells, ranked by what is known of its effect on AP."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.analysis.formatting import in_print_units
from bench.files import StoreError
from bench.paper.effects import Effect, known_effects, published_effect
from bench.pose.codecs.representation import codec_kinds
from bench.pose.metrics.catalog import headline
from bench.store.folders import Store
from bench.store.lookup import StoredCell, look_up, seeds_of
from bench.store.provenance import Provenance
from bench.suite.specs import evaluation_key

Settings = dict[str, Any]

ABSENT = "(none)"

DATA = ("dataset", "split", "subset", "evaluation_split", "evaluation_subset")
"""Settings that decide which instances are seen."""

IN_PUBLISHED_ROWS = ("backbone", "input_size", "evaluation_split")
"""Settings, besides the method, that tell published rows apart."""

METHOD = ("representation", "post_process")
"""What the paper's tables call a method: heatmaps with and without refinement are two."""


def parts_of_method() -> frozenset[str]:
    """Settings that only some representations have, or that mean something else for each."""
    return frozenset({*codec_kinds(), *codec_kinds(decoding=True), "score_threshold", "flip_shift", "pixel_alignment"})


@dataclass(frozen=True)
class Difference:
    """Something that differs.

    Attributes:
        settings: names of what differs, several where their effect is known together only.
        before: values in the first cell, by name.
        after: in the second.
        effect: what is known of it.
    """

    settings: tuple[str, ...]
    before: Settings
    after: Settings
    effect: Effect


@dataclass(frozen=True)
class CellComparison:
    """Two cells.

    Attributes:
        cells: the two.
        differences: other data first; then those of known effect, the largest at the top; then those that are known
            to matter; then the rest.
        metrics: both values of each metric that both records have; None where there is nobody to judge.
    """

    cells: tuple[StoredCell, StoredCell]
    differences: tuple[Difference, ...]
    metrics: Mapping[str, tuple[float | None, float | None]]

    @property
    def same_data(self) -> bool:
        """Whether the metrics are of the same instances, so that they can be compared."""
        one, other = map(_settings, self.cells)
        return all(one.get(name) == other.get(name) for name in ("dataset", "evaluation_split", "evaluation_subset"))


def compare_cells(store: Store, first: str, second: str) -> CellComparison:
    """What differs between the training or evaluation of one id and that of another.

    Raises:
        StoreError: an id names none or several, a file cannot be read, or only one is an evaluation.
    """
    cells = (look_up(store, first), look_up(store, second))
    if (cells[0].evaluation is None) != (cells[1].evaluation is None):
        raise StoreError(f"{cells[0].id} and {cells[1].id}: a training and an evaluation have nothing to compare")
    found = [*_of_settings(store, cells), *_of_provenance(cells)]
    return CellComparison(cells, tuple(sorted(found, key=_rank)), _metrics(cells))


def _rank(difference: Difference) -> tuple[int, float]:
    effect = difference.effect
    if set(difference.settings) & set(DATA) and effect.points is None:
        return 0, 0.0
    block = 1 if effect.points is not None else 2 if effect.matters else 3 if effect.known else 4
    return block, -effect.size


def _settings(cell: StoredCell) -> Settings:
    """All settings under their names in a table row, see `evaluation_key`."""
    trained = cell.training.model_dump(mode="json")
    evaluated = cell.evaluation.model_dump(mode="json", exclude={"training"}) if cell.evaluation is not None else {}
    own, decoding = trained.pop("codec"), evaluated.pop("decoding", {})
    return trained | own | {evaluation_key(name): value for name, value in {**evaluated, **decoding}.items()}


def _of_settings(store: Store, cells: tuple[StoredCell, StoredCell]) -> Iterator[Difference]:
    one, other = map(_settings, cells)
    left = [name for name in dict.fromkeys([*one, *other]) if one.get(name) != other.get(name)]
    for names in _published_together(left):
        effect = published_effect(one, other, names) if "evaluation_split" in one else None
        if effect is not None or "representation" in names:
            covered = [name for name in left if name in _covered(names)]
            left = [name for name in left if name not in covered]
            yield _difference(covered, one, other, effect or Effect())
    while left:
        together, effect = _of_setting(store, cells, left)
        left = [name for name in left if name not in together]
        yield _difference(together, one, other, effect)


def _published_together(differing: Collection[str]) -> Iterator[tuple[str, ...]]:
    """Groups of differing settings whose effect published rows may tell."""
    method = tuple(name for name in METHOD if name in differing)
    if method:
        yield method
    yield from ((name,) for name in IN_PUBLISHED_ROWS if name in differing)


def _covered(names: Collection[str]) -> set[str]:
    """The settings, with those that differ because they do."""
    if "representation" in names:
        return {*names, *parts_of_method()}
    return set(names)


def _of_setting(
    store: Store, cells: tuple[StoredCell, StoredCell], left: Sequence[str]
) -> tuple[Sequence[str], Effect]:
    """The first of some settings, with those of the others that were only ever changed together with it."""
    name, (one, other) = left[0], map(_settings, cells)
    if name in DATA:
        seen = "trained on" if name == "split" else "measured on"
        return [name], Effect(matters=True, known=f"{seen} other instances: the numbers are not of the same thing")
    measured = _seed_effect(store, cells) if name == "seed" else None
    if measured is not None:
        return [name], measured
    together, effect = _listed(name, one, other)
    return [item for item in left if item in together], effect


def _listed(name: str, one: Settings, other: Settings) -> tuple[Sequence[str], Effect]:
    """The effect of a change by `effects.yaml`, with the settings that were changed together."""
    for entry in known_effects():
        if name in entry.settings and entry.applies((one, other)):
            effect = entry.of(one.get(name), other.get(name))
            if effect is not None:
                return entry.settings, effect
    return [name], Effect()


def _seed_effect(store: Store, cells: tuple[StoredCell, StoredCell]) -> Effect | None:
    """The spread over seeds of the same cells, where the store has several."""
    for cell in cells:
        records = [found.record for found in seeds_of(store, cell) if found.record is not None]
        name = headline(records[0].metrics) if records and records[0].metrics else ""
        found = [value for record in records if (value := record.metrics.get(name)) is not None]
        values = [in_print_units(name, value) for value in found]
        if len(values) > 1:
            spread = statistics.stdev(values)
            known = f"standard deviation of {name} over {len(values)} seeds of {cell.id}: {spread:.2f} points"
            return Effect((-spread, spread), True, known, str(store.root))
    return None


def _difference(names: Collection[str], one: Settings, other: Settings, effect: Effect) -> Difference:
    return Difference(
        tuple(names), {name: one.get(name) for name in names}, {name: other.get(name) for name in names}, effect
    )


def _of_provenance(cells: tuple[StoredCell, StoredCell]) -> Iterator[Difference]:
    """Code, versions, hardware and files; what differs alike in training and evaluation is said once."""
    seen: set[tuple[str, str, str]] = set()
    for kind in ("training_record", "record"):
        found = [getattr(cell, kind) for cell in cells]
        if None in found:
            continue
        one, other = (_origin(record.provenance) for record in found)
        for name in dict.fromkeys([*one, *other]):
            values = (str(one.get(name, ABSENT)), str(other.get(name, ABSENT)))
            # A file that only one of them read follows from another setting.
            follows = name.startswith("file ") and ABSENT in values
            if values[0] != values[1] and not follows and (name, *values) not in seen:
                seen.add((name, *values))
                _, effect = _listed(name, one, other)
                yield Difference((name,), {name: values[0]}, {name: values[1]}, effect)


def _origin(provenance: Provenance) -> Settings:
    return {
        "code": provenance.code,
        **{f"version of {name}": value for name, value in provenance.versions.items()},
        **{f"extension {name}": digest for name, digest in provenance.extensions.items()},
        **{f"hardware: {name}": value for name, value in provenance.hardware.items()},
        **{f"file {name}": digest for name, digest in provenance.files.items()},
    }


def _metrics(cells: tuple[StoredCell, StoredCell]) -> dict[str, tuple[float | None, float | None]]:
    one, other = (cell.record.metrics if cell.record is not None else {} for cell in cells)
    return {name: (one[name], other[name]) for name in one if name in other}
