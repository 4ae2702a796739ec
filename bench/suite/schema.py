"""The suite file: one YAML document that declares a grid of trainings, how to measure them, and the tables to print."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from bench.extensions import NO_EXTENSIONS, Extensions, ModuleName
from bench.paper.published import TABLES
from bench.pose.codecs.representation import codec_kinds
from bench.pose.errors import ExtensionError
from bench.pose.evaluator_names import EVALUATORS
from bench.pose.metrics.catalog import metrics_of, noticeable
from bench.suite.claims.cases import Claim
from bench.suite.claims.declaration import Declaration, read_claims
from bench.suite.recipe import RECIPES, Recipe, load_recipe
from bench.suite.rules import Rule, evaluation_settings, read_rules, read_values, training_settings
from bench.suite.shipped import find_suite
from bench.suite.source import Problem, Source, read_yaml
from bench.suite.spec_values import Hash, Positive
from bench.suite.specs import EvalSpec, TrainSpec
from bench.suite.structure import check_structure, unknown
from bench.suite.suite_dataset import SuiteDataset
from bench.suite.weights_names import WeightsNames

RESERVED = TrainSpec.model_fields.keys() | EvalSpec.model_fields.keys()
"""Names that a representation's own settings cannot have."""


class _SuiteSection(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class SuiteTable(_SuiteSection):
    """A table to print.

    Attributes:
        id: names its files.
        title: above it.
        compare: "published/TABLE", the paper's table to set beside the results.
        metrics: columns, names of metrics of the records.
        margin: a measurement that is surely closer than this to the published number is equivalent to it, in the units
            of records; where none is given, `noticeable`.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$")]
    title: str = ""
    compare: str | None = None
    metrics: list[str] = Field(default=["AP", "AP50", "AP75", "AR", "mean_oks"], min_length=1)
    margin: Positive | None = None

    @property
    def published_table(self) -> str | None:
        """Name of the paper's table, without the folder."""
        return self.compare.removeprefix("published/") if self.compare else None

    def margin_of(self, metric: str) -> float:
        """The margin of equivalence for a metric, in the units of records."""
        return noticeable(metric) if self.margin is None else self.margin


class _Train(_SuiteSection):
    axes: dict[str, Any] = Field(min_length=1)
    only: list[Any] = []
    set: list[Any] = []
    exclude: list[Any] = []
    recipe: str = "paper"


class _SuiteDocument(_SuiteSection):
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$")]
    title: str
    description: str = ""
    extensions: Annotated[tuple[ModuleName, ...], Field(strict=False)] = ()
    dataset: SuiteDataset
    weights: dict[str, Hash] = {}
    train: _Train
    evaluate: list[Any] = Field(min_length=1)
    store_outputs: bool = False
    tables: list[SuiteTable] = Field(min_length=1)
    claims: list[Declaration] = []


@dataclass(frozen=True)
class Suite:
    """A checked suite.

    Attributes:
        file: it was read from.
        name: of the suite and its report.
        title: of its report.
        description: what it is for.
        extensions: modules that add to what it may name.
        dataset: that it trains and evaluates on.
        weights: sha256 of each weights file by its name, a path from the suite's folder or from the data root.
        axes: values of each axis, in the order of the file.
        rules: settings under conditions, later ones win.
        only: conditions of which each cell meets one, where there are any: for axes that do not go with all of another.
        exclusions: conditions of cells that are left out, each with its reason.
        evaluations: ways to measure a training; lists of values multiply.
        recipe: hyper-parameters under the suite's own rules.
        tables: to print.
        claims: of the paper, to be judged.
        given: settings of every training from a command line; rules do not replace them.
        settings: all settings from a command line, as written there.
        store_outputs: whether evaluations keep the network's raw outputs, for `bench vary`.
    """

    file: Path
    name: str
    title: str
    description: str
    extensions: Extensions
    dataset: SuiteDataset
    weights: Mapping[str, str]
    axes: Mapping[str, tuple[Any, ...]]
    rules: tuple[Rule, ...]
    only: tuple[Rule, ...]
    exclusions: tuple[Rule, ...]
    evaluations: tuple[Rule, ...]
    recipe: Recipe
    tables: tuple[SuiteTable, ...]
    claims: tuple[Claim, ...]
    given: Mapping[str, Any] = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    store_outputs: bool = False

    @property
    def varied(self) -> tuple[str, ...]:
        """Axes with several values."""
        return tuple(name for name, values in self.axes.items() if len(values) > 1)


def load_suite(file: Path, *, run_extensions: bool = True) -> Suite:
    """Read and check a suite, importing its extensions first.

    Args:
        file: of the suite, or the name of one that is installed with the package.
        run_extensions: without it, a suite whose modules are not imported yet is refused rather than having them run.

    Raises:
        SuiteError: one `file:line: what` per problem, with what is valid and the nearest valid name.
    """
    source = read_yaml(find_suite(file))
    extensions = _load_extensions(source, run=run_extensions)
    document = check_structure(source, _SuiteDocument)
    problems: list[Problem] = []
    train, names = document.train, WeightsNames(document.weights, problems)
    trained, evaluated = training_settings(), evaluation_settings()
    conditions = ("dataset", "split", *trained)
    axes = {
        name: read_values(name, value, ("train", "axes", name), problems, valid=trained)
        for name, value in names.in_settings(train.axes, ("train", "axes")).items()
    }
    given = names.in_rules(train.set, ("train", "set"))
    rules = read_rules(given, ("train", "set"), problems, settings=trained, conditions=conditions)
    only = read_rules(
        names.in_rules(train.only, ("train", "only")), ("train", "only"), problems, settings=(), conditions=conditions
    )
    excluded = names.in_rules(train.exclude, ("train", "exclude"))
    exclusions = read_rules(excluded, ("train", "exclude"), problems, settings=(), conditions=conditions)
    evaluations = read_rules(
        names.in_rules(document.evaluate, ("evaluate",)),
        ("evaluate",),
        problems,
        settings=evaluated,
        conditions=(*conditions, *evaluated),
        several=True,
    )
    claims = read_claims(
        document.claims, data=document.dataset.info, axes=axes, weights=names, source=source, problems=problems
    )
    problems += [*_semantic_problems(document, axes, exclusions), *_table_problems(document)]
    problems += evaluator_problems(document.dataset, evaluations)
    if problems:
        raise source.error(problems)
    return Suite(
        file=source.file,
        name=document.name,
        title=document.title,
        description=document.description,
        extensions=extensions,
        dataset=document.dataset,
        weights=document.weights,
        axes=axes,
        rules=tuple(rules),
        only=tuple(only),
        exclusions=tuple(exclusions),
        evaluations=tuple(evaluations),
        recipe=load_recipe(train.recipe),
        tables=tuple(document.tables),
        claims=claims,
        store_outputs=document.store_outputs,
    )


def _load_extensions(source: Source, *, run: bool) -> Extensions:
    """Import what a suite names, before anything else of it is checked: other names may be theirs."""
    named = source.data.get("extensions") if isinstance(source.data, Mapping) else None
    try:
        extensions = Extensions.model_validate({"modules": named, "folder": source.file.absolute().parent})
    except ValidationError:  # none, or what the check of the structure will complain of
        extensions = NO_EXTENSIONS
    if not run:
        absent = [name for name in extensions.modules if name not in sys.modules]
        if absent:
            message = f"names the module {absent[0]!r}, which is not run unless --extension names it"
            raise source.error([Problem(("extensions",), message)])
        return extensions
    NO_EXTENSIONS.load()
    problems = []
    for number, name in enumerate(extensions.modules):
        try:
            extensions.load_module(name)
        except ExtensionError as error:
            problems.append(Problem(("extensions", number), str(error)))
    for name in codec_kinds().keys() & RESERVED | codec_kinds(decoding=True).keys() & (RESERVED - {"post_process"}):
        what = f"a representation has a setting {name!r}, which all trainings or evaluations have; rename it"
        problems.append(Problem(("extensions",), what))
    if problems:
        raise source.error(problems)
    return extensions


def evaluator_problems(dataset: SuiteDataset, evaluations: list[Rule]) -> list[Problem]:
    """Entries of `evaluate` with an evaluator of another protocol than the dataset's."""
    info = dataset.info
    valid = EVALUATORS[info.protocol]
    return [
        Problem(
            ("evaluate", number, "evaluator"),
            f"evaluator: {value!r:.80} does not score {info.name}, whose protocol is {info.protocol}; valid:"
            f" {', '.join(valid)}",
        )
        for number, entry in enumerate(evaluations)
        for value in entry.settings.get("evaluator", ())
        if value not in valid
    ]


def _semantic_problems(
    document: _SuiteDocument, axes: Mapping[str, tuple[Any, ...]], exclusions: list[Rule]
) -> Iterator[Problem]:
    if document.train.recipe not in RECIPES:
        yield Problem(("train", "recipe"), unknown("recipe", document.train.recipe, RECIPES))
    for needed in ("backbone", "representation", "input_size"):
        if needed not in axes:
            yield Problem(("train", "axes"), f"the axis {needed!r} is missing")
    for name, values in axes.items():
        if not values:
            yield Problem(("train", "axes", name), f"axis {name!r} has no value")
    for number, exclusion in enumerate(exclusions):
        if not exclusion.because:
            yield Problem(("train", "exclude", number), "an exclusion needs a reason: add `because: ...`")
    names = {"table": [table.id for table in document.tables], "claim": [claim.id for claim in document.claims]}
    for kind, ids in names.items():
        for number, name in enumerate(ids):
            if name in ids[:number]:
                yield Problem((f"{kind}s", number, "id"), f"{kind} {name!r} is given twice")


def _table_problems(document: _SuiteDocument) -> Iterator[Problem]:
    metrics = metrics_of(document.dataset.info)
    for number, table in enumerate(document.tables):
        for position, metric in enumerate(table.metrics):
            if "metrics" in table.model_fields_set and metric not in metrics:
                yield Problem(("tables", number, "metrics", position), unknown("metric", metric, metrics))
        if table.compare and table.published_table not in TABLES:
            valid = [f"published/{name}" for name in TABLES]
            yield Problem(("tables", number, "compare"), unknown("published table", table.compare, valid))
