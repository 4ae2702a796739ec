"""What a suite asks for against what the store holds and the scheduler knows. Reads only; imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from bench.paper.elsewhere import ElsewhereRow, find_elsewhere
from bench.paper.published import TABLES, TRAININGS, PublishedRow, published_rows
from bench.planning.predicted_complexity import predict
from bench.planning.status import Observer, Status
from bench.pose.evaluator_names import EVALUATORS
from bench.pose.models.network import Complexity
from bench.store.documents import State
from bench.store.folders import Store
from bench.suite.expansion import complete_cell, expand
from bench.suite.recipe import load_recipe, quirks
from bench.suite.schema import Suite
from bench.suite.source import SuiteError, read_scalar
from bench.suite.specs import EvalSpec, TrainSpec, shared_settings

Selection = Mapping[str, tuple[str, ...]]
"""Settings and the values that a cell may have, as written on the command line."""

PAPER_CELL = ("dataset", "split", "backbone", "representation", "input_size")
"""Settings that tell the paper's trainings apart; its recipe gives the others."""

PUBLISHED_TESTS = {"coco": ("val2017", "detector"), "mpii": ("valid", "gt"), "crowdpose": ("test", "detector")}
"""Splits and boxes that other projects measure on, by dataset."""

MILLION, GIGA, BINARY_GIGA = 1e6, 1e9, 2**30
"""Units of parameters, of the true count of multiply-adds, and of the paper's."""


@dataclass(frozen=True)
class PlannedEvaluation:
    """One evaluation, where it stands, and the published rows that it answers."""

    spec: EvalSpec
    status: Status
    published: tuple[PublishedRow, ...]

    @property
    def state(self) -> State:
        """Where it stands, in one word."""
        return self.status.state


@dataclass(frozen=True)
class PlannedTraining:
    """One training with its evaluations, where it stands, and what its network costs per image."""

    spec: TrainSpec
    status: Status
    complexity: Complexity
    evaluations: tuple[PlannedEvaluation, ...]

    @property
    def state(self) -> State:
        """Where it stands, in one word."""
        return self.status.state

    @property
    def parts(self) -> tuple[PlannedTraining | PlannedEvaluation, ...]:
        """It and its evaluations."""
        return (self, *self.evaluations)

    @property
    def finished(self) -> bool:
        """Whether it and all its evaluations are done."""
        return all(part.state == "done" for part in self.parts)

    @property
    def under_way(self) -> bool:
        """Whether somebody works on what is left of it or will."""
        return any(part.status.under_way for part in self.parts)

    @property
    def with_slurm(self) -> bool:
        """Whether what is left of it runs or waits in a SLURM job."""
        return any(part.status.under_way and part.status.job for part in self.parts)

    @property
    def failed(self) -> bool:
        """Whether it or one of its evaluations failed."""
        return any(part.state == "failed" for part in self.parts)


@dataclass(frozen=True)
class Plan:
    """All trainings of a suite, and the combinations that it excludes with the reason of each."""

    suite: Suite
    trainings: tuple[PlannedTraining, ...]
    excluded: tuple[tuple[Mapping[str, Any], str], ...]

    @property
    def unfinished(self) -> tuple[PlannedTraining, ...]:
        """Trainings that still have something to do."""
        return tuple(training for training in self.trainings if not training.finished)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what is not as the suite has it."""
        return (*self.given, *self.subsets, *self.strangers)

    @property
    def given(self) -> tuple[str, ...]:
        """A sentence on the settings of the command line, if there are any."""
        listed = ", ".join(self.suite.settings)
        return (f"settings given on the command line: {listed}",) if listed else ()

    @property
    def subsets(self) -> tuple[str, ...]:
        """A sentence that marks numbers of subsets, if there are any."""
        specs = [part.spec for training in self.trainings for part in training.parts]
        sizes = sorted({spec.subset for spec in specs if spec.subset is not None})
        return (f"SUBSET: {describe_subset(sizes)}; numbers are comparable with no others",) if sizes else ()

    @property
    def strangers(self) -> tuple[str, ...]:
        """A sentence on backbones that the recipe does not know, if there are any."""
        known = self.suite.recipe.backbones
        names = dict.fromkeys(
            training.spec.backbone for training in self.trainings if training.spec.backbone not in known
        )
        if not names:
            return ()
        return (f"the recipe has no values for {', '.join(names)}: they train as HRNet, but for what the suite sets",)

    def as_json(self) -> dict[str, Any]:
        """The documented form of `plan --json`."""
        return {
            "suite": self.suite.name,
            "settings": list(self.suite.settings),
            "trainings": [_training_json(training) for training in self.trainings],
            "evaluations": [
                _evaluation_json(evaluation) for training in self.trainings for evaluation in training.evaluations
            ],
        }


def make_plan(suite: Suite, store: Store, selection: Selection | None = None) -> Plan:
    """Plan a suite.

    Args:
        suite: what is wanted.
        store: what is there.
        selection: restricts the plan to cells with one of the values of each setting named.

    Raises:
        SuiteError: the suite does not expand, or nothing fits the selection.
    """
    expansion, observer = expand(suite), Observer(store)
    trainings = tuple(
        PlannedTraining(
            spec=cell.training,
            status=observer.training(cell.training.id),
            complexity=complexity_of(cell.training),
            evaluations=tuple(
                PlannedEvaluation(
                    spec, observer.evaluation(cell.training.id, spec.id), answered_rows(cell.training, spec)
                )
                for spec in cell.evaluations
            ),
        )
        for cell in expansion.cells
        if _selected(cell.training, selection or {})
    )
    if not trainings:
        axes = "; ".join(f"{name}: {', '.join(map(str, values))}" for name, values in suite.axes.items())
        raise SuiteError(f"{suite.file}: no cell fits the selection; the suite's axes: {axes}")
    return Plan(suite, trainings, expansion.excluded)


def parse_selection(items: Sequence[str], suite: Suite) -> Selection:
    """The selection written as `AXIS=VALUE[,VALUE]` items. Raises `SuiteError` with what is valid."""
    selection: dict[str, tuple[str, ...]] = {}
    for item in items:
        name, separator, values = item.partition("=")
        if not separator or name not in suite.axes:
            raise SuiteError(f"--only {item!r}: expected AXIS=VALUE[,VALUE] with an axis of {', '.join(suite.axes)}")
        valid = [_text(value) for value in suite.axes[name]]
        for value in [values] if values in valid else values.split(","):  # a value may itself have commas
            known = suite.weights.get(value, value) if name == "weights" else value
            found = next((text for text in (known, _text(read_scalar(known))) if text in valid), None)
            if found is None:
                listed = "; ".join(valid) if any("," in text for text in valid) else ", ".join(valid)
                raise SuiteError(f"--only {item!r}: axis {name!r} has no value {known!r}; valid: {listed}")
            selection[name] = (*selection.get(name, ()), found)
    return selection


def describe_subset(sizes: Iterable[int]) -> str:
    """A subset in words, given the number of its images, or several of them."""
    listed = " or ".join(map(str, sizes))
    return f"first {listed} image{'s' * (listed != '1')} of each split"


def complexity_of(training: TrainSpec) -> Complexity:
    """Parameters and multiply-adds per image of a training's network."""
    return predict(training.backbone, training.representation, **training.form)


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _selected(training: TrainSpec, selection: Selection) -> bool:
    settings = training.settings
    return all(_text(settings.get(name)) in values for name, values in selection.items())


def answered_rows(training: TrainSpec, evaluation: EvalSpec) -> tuple[PublishedRow, ...]:
    """Published rows that this evaluation measures again: same data, method, cell settings and way of testing."""
    found = (
        training.backbone,
        training.representation,
        training.input_size,
        evaluation.post_process,
        training.dataset,
        evaluation.split,
        evaluation.boxes,
        evaluation.flip_test,
    )
    rows = _rows_by_question().get(found, ())
    return rows if rows and _as_the_paper_tests(evaluation, training) and _as_the_paper_trains(training) else ()


def _as_the_paper_tests(evaluation: EvalSpec, training: TrainSpec) -> bool:
    """Whether images and evaluator are the paper's: all images of the split, and none that were trained on."""
    published = TRAININGS.get(training.dataset)
    if evaluation.subset is not None or published is None or training.split != published.split:
        return False
    return evaluation.evaluator == EVALUATORS[training.data.protocol][0]


def elsewhere_row(training: TrainSpec, evaluation: EvalSpec) -> ElsewhereRow | None:
    """What another project publishes for this cell, trained and measured on the same images; None where none does."""
    measured = PUBLISHED_TESTS.get(training.dataset) == (evaluation.split, evaluation.boxes)
    whole = training.subset is training.held_out is training.train_subset is None
    if not (measured and whole and evaluation.flip_test and _as_the_paper_tests(evaluation, training)):
        return None
    return find_elsewhere(shared_settings(training, evaluation))


@cache
def _rows_by_question() -> Mapping[tuple[Any, ...], tuple[PublishedRow, ...]]:
    """Published rows, in the page's order, by what an evaluation must be of and how it must test to answer them."""
    rows: dict[tuple[Any, ...], tuple[PublishedRow, ...]] = {}
    for row in published_rows():
        table = TABLES[row.table]
        asked = (
            row.backbone,
            row.representation,
            row.input_size,
            row.post_process,
            table.dataset,
            table.split,
            table.boxes,
            True,
        )
        rows[asked] = (*rows.get(asked, ()), row)
    return rows


@cache
def _paper_cell(*values: str) -> Mapping[str, Any]:
    """All settings of the paper in the cell where `PAPER_CELL` has these values; once for all seeds."""
    return complete_cell(load_recipe("paper").train, dict(zip(PAPER_CELL, values, strict=True)))


def _as_the_paper_trains(training: TrainSpec) -> bool:
    """Whether all that decides a training's number is as the paper has it in that cell."""
    paper = _paper_cell(*(getattr(training, name) for name in PAPER_CELL))
    # Whatever the number of processes, batch, learning rate and statistics are the same: results agree up to rounding.
    free = {"seed", "world_size", *quirks()}
    if training.weights is not None:
        # Weights that were made elsewhere, such as the authors': how they came about is not ours to repeat.
        free |= {"initialization", "weights", "epochs"}
    return all(value == paper.get(name) for name, value in training.settings.items() if name not in free)


def _training_json(training: PlannedTraining) -> dict[str, Any]:
    spec, complexity = training.spec, training.complexity
    document = spec.model_dump(mode="json")
    names = ("dataset", "backbone", "representation", "input_size", "seed")
    return {
        "id": spec.id,
        **{name: document[name] for name in names},
        **{name: spec.codec.get(name) for name in ("split_ratio", "sigma", "label_smoothing")},
        "params": complexity.params,
        "gflops": {
            "multiply_adds": complexity.multiply_adds / GIGA,
            "published_convention": complexity.published_convention / BINARY_GIGA,
        },
        "state": training.state,
        "reason": training.status.reason,
        "job": training.status.job,
        "spec": document,
    }


def _evaluation_json(evaluation: PlannedEvaluation) -> dict[str, Any]:
    spec = evaluation.spec
    names = ("training", "split", "subset", "boxes", "flip_test", "flip_shift", "post_process")
    return {
        "id": spec.id,
        **{name: getattr(spec, name) for name in names},
        "published": [row.id for row in evaluation.published],
        "state": evaluation.state,
        "reason": evaluation.status.reason,
    }
