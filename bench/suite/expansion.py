"""From a suite to its specs. A pure function of the suite."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from bench.pose.codecs.representation import REPRESENTATIONS, codec_kinds
from bench.pose.declared_settings import check_value
from bench.pose.errors import DataError
from bench.pose.evaluator_names import EVALUATORS
from bench.pose.models.backbone import BACKBONES, has_choice_of_upsampling
from bench.suite.claims.cases import Claim, ClaimCase, find_cases
from bench.suite.rules import Rule, apply_rules
from bench.suite.schema import Suite
from bench.suite.source import SuiteError
from bench.suite.specs import EvalSpec, TrainSpec, evaluation_key, shared_settings
from bench.suite.structure import plain_message

SpecT = TypeVar("SpecT", TrainSpec, EvalSpec)

MOST_COMBINATIONS = 100_000
"""Limit of the combinations of a suite's axes, and of an entry of its evaluations. Planning so many takes minutes."""


@dataclass(frozen=True)
class SuiteCell:
    """One training of a suite with the evaluations to make of it."""

    training: TrainSpec
    evaluations: tuple[EvalSpec, ...]


@dataclass(frozen=True)
class Expansion:
    """The cells of a suite.

    Attributes:
        cells: each training once.
        excluded: axis values of each combination that is left out, and the reason.
        cases: the cases of each claim, by its id; none where settings of the command line leave none.
    """

    cells: tuple[SuiteCell, ...]
    excluded: tuple[tuple[Mapping[str, Any], str], ...]
    cases: Mapping[str, tuple[ClaimCase, ...]]


def expand(suite: Suite) -> Expansion:
    """Every combination of the axes, completed by the recipe and the suite's rules.

    Combinations that differ only in settings that their representation does not read are one training.

    Raises:
        SuiteError: there are too many, a cell is incomplete or contradicts itself, or has no evaluation; a claim
            selects none or several.
    """
    cells: dict[str, SuiteCell] = {}
    excluded = []
    names = list(suite.axes)
    _check_number(suite, "the axes", suite.axes)
    for entry in suite.evaluations:
        _check_number(suite, "an entry of `evaluate`", entry.settings)
    for values in itertools.product(*suite.axes.values()):
        axes = dict(zip(names, values, strict=True))
        full = complete_cell((*suite.recipe.train, *suite.rules), {**_data(suite), **suite.given, **axes})
        if suite.only and not any(rule.applies(full) for rule in suite.only):
            continue
        reason = next((rule.because for rule in suite.exclusions if rule.applies(full)), None)
        if reason is not None:
            excluded.append((axes, reason))
            continue
        training = train_spec(full, f"{suite.file}: cell {_words({**axes, **suite.given})}")
        if training.id not in cells:
            cells[training.id] = SuiteCell(training, tuple(_evaluations(suite, training)))
    if suite.only and not cells:
        raise SuiteError(f"{suite.file}: no combination of the axes meets an entry of `only`")
    return Expansion(tuple(cells.values()), tuple(excluded), _cases(suite, cells.values()))


def _check_number(suite: Suite, whose: str, values: Mapping[str, Collection[Any]]) -> None:
    number = math.prod(map(len, values.values()))
    if number > MOST_COMBINATIONS:
        raise SuiteError(f"{suite.file}: {number:,} combinations of {whose}; at most {MOST_COMBINATIONS:,} are planned")


def complete_cell(rules: Iterable[Rule], given: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a cell: the given ones, the rules' for the rest, without those that other representations read.

    What makes no difference is `None`. With 0 epochs the selection is final, because there is no best epoch to choose.
    """
    cell = apply_rules(rules, dict(given), fixed=given.keys())
    cell |= {"selection": "final"} if cell.get("epochs") == 0 else {}
    if cell.get("selection") == "final":
        cell["selection_split"] = None
    backbone, representation = BACKBONES.get(cell["backbone"]), REPRESENTATIONS.get(cell["representation"])
    if backbone is None or representation is None:
        return cell  # its spec will refuse the name
    if not has_choice_of_upsampling(cell["backbone"], cell["representation"]):
        cell["upsample"] = None
    if cell.get("upsample") is not False:
        cell["maps_per_keypoint"] = None
    unread = codec_kinds().keys() - representation.settings.keys()
    return {name: value for name, value in cell.items() if name not in unread}


def _cases(suite: Suite, cells: Iterable[SuiteCell]) -> dict[str, tuple[ClaimCase, ...]]:
    """Cases of the claims; rows that differ in their seed alone are one."""
    if not suite.claims:
        return {}
    rows = [shared_settings(cell.training, evaluation) for cell in cells for evaluation in cell.evaluations]
    distinct = list({tuple(row.values()): row for row in rows}.values())
    varied = [*suite.axes, *(evaluation_key(name) for entry in suite.evaluations for name in entry.settings)]
    open_settings = [name for name in dict.fromkeys(varied) if name != "seed"]
    return {claim.id: _cases_of(suite, claim, distinct, open_settings) for claim in suite.claims}


def _cases_of(
    suite: Suite, claim: Claim, rows: Sequence[Mapping[str, Any]], open_settings: Collection[str]
) -> tuple[ClaimCase, ...]:
    """The cases of a claim; none if settings of the command line leave cells of which it does not speak."""
    try:
        return find_cases(claim, rows, open_settings)
    except SuiteError:
        if suite.settings:
            return ()
        raise


def _data(suite: Suite) -> dict[str, Any]:
    own = {} if suite.dataset.define is None else {"definition": suite.dataset.define}
    return {"dataset": suite.dataset.name, "split": suite.dataset.train} | own


def _evaluations(suite: Suite, training: TrainSpec) -> Iterator[EvalSpec]:
    seen: set[str] = set()
    for entry in suite.evaluations:
        for values in itertools.product(*entry.settings.values()):
            given = dict(zip(entry.settings, values, strict=True))
            known = training.settings | {"split": suite.dataset.eval} | given
            cell = apply_rules(suite.recipe.evaluate, known, fixed=given)
            if not entry.applies(cell):
                continue
            spec = eval_spec(training, cell, f"{suite.file}: evaluation {_words(given)}")
            if spec.boxes == "detector":
                _require_boxes(suite, training, spec)
            _refuse_trained_images(suite, training, spec)
            if spec.id not in seen:
                seen.add(spec.id)
                yield spec
    if not seen:
        raise SuiteError(
            f"{suite.file}: no entry of `evaluate` applies to {training.backbone} {training.representation}"
            f" {training.input_size}"
        )


def _require_boxes(suite: Suite, training: TrainSpec, evaluation: EvalSpec) -> None:
    try:
        training.data.require_boxes(evaluation.split)
    except DataError as error:
        raise SuiteError(f"{suite.file}: evaluation boxes=detector: {error}") from None


def _refuse_trained_images(suite: Suite, training: TrainSpec, evaluation: EvalSpec) -> None:
    """Refuse to measure more of the training split than is held out of it, where something is."""
    held, measured = training.held_out, evaluation.subset
    if held is not None and evaluation.split == training.split and (measured is None or measured > held):
        images = "all images" if measured is None else f"{measured} images"
        raise SuiteError(
            f"{suite.file}: an evaluation measures {images} of {training.split}, of which {held} are held out; the"
            f" others are trained on; set its `subset` to {held}"
        )


def train_spec(cell: Mapping[str, Any], where: str) -> TrainSpec:
    """The spec of a complete cell. Raises `SuiteError` that begins with `where` and names each wrong setting."""
    own = {name: value for name, value in cell.items() if name in TrainSpec.model_fields}
    codec = {name: value for name, value in cell.items() if name not in own}
    return _make_spec(TrainSpec, {**own, "codec": codec}, where)


def eval_spec(training: TrainSpec, cell: Mapping[str, Any], where: str) -> EvalSpec:
    """The spec of an evaluation, given all its settings, beside others that do not matter.

    A refinement that the training's representation does not have is none.

    Raises:
        SuiteError: it begins with `where` and names each wrong setting.
    """
    declared = REPRESENTATIONS[training.representation].decoding
    own = {name: cell[name] for name in EvalSpec.model_fields if name in cell}
    own = {"evaluator": EVALUATORS[training.data.protocol][0], **own, "training": training.id}
    if cell.get("post_process") not in declared.get("post_process", ()):
        own["post_process"] = "none"
    try:
        others = {name: kind for name, kind in declared.items() if name != "post_process"}
        own["decoding"] = {name: check_value(name, cell[name], kind) for name, kind in others.items()}
    except KeyError as error:
        raise SuiteError(f"{where}: {error.args[0]} has no value; give it one under `evaluate`") from None
    except ValueError as error:
        raise SuiteError(f"{where}: {error}") from None
    return _make_spec(EvalSpec, own, where)


def _make_spec(kind: type[SpecT], settings: Mapping[str, Any], where: str) -> SpecT:
    try:
        return kind.model_validate(settings)
    except ValidationError as error:
        raise SuiteError(f"{where}: {'; '.join(map(_describe, error.errors()))}") from None


def _describe(detail: Mapping[str, Any]) -> str:
    """A wrong setting by name, or the contradiction between settings."""
    if detail["type"] == "missing":
        return f"{detail['loc'][0]} has no value; give it one under `set`, or make it an axis"
    return ": ".join([*map(str, detail["loc"][:1]), plain_message(detail)])


def _words(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in settings.items())
