"""How far each choice of the protocol moves a metric: the variants of a suite's evaluations beside them, paired."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from bench.analysis.frame import to_frame
from bench.analysis.result_reading import EvaluationResult
from bench.analysis.results import Results
from bench.analysis.rows import as_records, split_rows
from bench.analysis.uncertainty import Uncertainty
from bench.analysis.verdicts import CaseVerdict, ClaimVerdict, Flip
from bench.files import StoreError
from bench.statistics.estimate import EffectEstimate
from bench.store.folders import Store
from bench.suite.claims.language import Inequality
from bench.suite.variants import choice_words

Choice = tuple[str, str]
"""A setting and its value in words."""


@dataclass(frozen=True)
class ChoiceEffect:
    """How far a choice moves a row.

    Attributes:
        row: id of the row in the results frame.
        setting: that is chosen otherwise.
        value: in words.
        effect: of the variant minus the row, images and seeds paired.
        evaluations: ids of the variants.
    """

    row: str
    setting: str
    value: str
    effect: EffectEstimate
    evaluations: tuple[str, ...]


@dataclass(frozen=True)
class Sensitivity:
    """The variants of a suite's evaluations, as `bench vary` measured them.

    Attributes:
        metric: whose moves are looked at.
        effects: largest first within each row, rows in the order of the suite.
        problems: records of variants that cannot be read.
    """

    metric: str
    effects: tuple[ChoiceEffect, ...]
    problems: tuple[str, ...]
    _rows: Mapping[str, Mapping[Choice, str]] = field(repr=False)
    _uncertainty: Uncertainty = field(repr=False)

    @classmethod
    def collect(cls, results: Results, store: Store, metric: str) -> Sensitivity:
        """Read all variants of a suite's finished evaluations."""
        problems: list[str] = []
        rows: dict[str, dict[Choice, str]] = {}
        found = list(_variants(results, store, problems))
        frame = results.frame[results.frame["state"] == "done"]
        if not found:
            return cls(metric, (), tuple(problems), rows, Uncertainty(frame, store))
        variants = to_frame(result for _, _, result in found).drop_duplicates("evaluation")
        row_of = variants.set_index("evaluation")["row"]
        for row, choice, result in found:
            rows.setdefault(row, {})[choice] = str(row_of[result.evaluation.id])
        for line in as_records(frame.drop_duplicates("row")):
            own = rows.get(line["row"], {})
            own |= {(name, choice_words(line[name])): line["row"] for name in {setting for setting, _ in own}}
        both = pd.concat([frame, variants[~variants["evaluation"].isin(frame["evaluation"])]], ignore_index=True)
        uncertainty = Uncertainty(both, store)
        sensitivity = cls(metric, (), tuple(problems), rows, uncertainty)
        ids = {row: tuple(lines["evaluation"]) for row, lines in split_rows(both).items()}
        effects = tuple(sensitivity._effects(ids))
        return replace(sensitivity, effects=effects, problems=(*problems, *uncertainty.problems))

    def _effects(self, evaluations: Mapping[str, tuple[str, ...]]) -> Iterator[ChoiceEffect]:
        for row, choices in self._rows.items():
            found = []
            for (setting, value), variant in choices.items():
                if variant == row:
                    continue
                effect = self._uncertainty.combination({variant: 1.0, row: -1.0}, self.metric)
                if effect is not None:
                    found.append(ChoiceEffect(row, setting, value, effect, evaluations[variant]))
            yield from sorted(found, key=lambda one: -abs(one.effect.value))

    def with_flips(self, judged: ClaimVerdict) -> ClaimVerdict:
        """The claim with the choices that put it on the other side of its bound.

        A choice is made for all rows of a case, and only where each of them was measured so. What a claim itself names,
        such as post-processing, is no choice of the protocol to it.
        """
        cases = tuple(replace(case, flips=tuple(self._flips(judged.claim.that, case))) for case in judged.cases)
        return replace(judged, cases=cases)

    def _flips(self, that: Inequality, case: CaseVerdict) -> Iterator[Flip]:
        if case.estimate is None or that.absolute:
            return
        named = {selector.word for _, term in that.terms for selector in term.selectors}
        choices = dict.fromkeys(choice for row in case.weights for choice in self._rows.get(row, {}))
        for setting, value in choices:
            rows = {row: self._rows.get(row, {}).get((setting, value)) for row in case.weights}
            if setting in named or None in rows.values() or all(row == other for row, other in rows.items()):
                continue
            weights: dict[str, float] = {}
            for row, weight in case.weights.items():
                weights[str(rows[row])] = weights.get(str(rows[row]), 0.0) + weight
            estimate = self._uncertainty.combination(weights, that.metric)
            if estimate is not None and (estimate.value > that.bound) != (case.estimate.value > that.bound):
                yield Flip(setting, value, estimate)


def _variants(results: Results, store: Store, problems: list[str]) -> Iterator[tuple[str, Choice, EvaluationResult]]:
    """Row, choice and result of each variant of a finished evaluation."""
    rows = results.frame.set_index("evaluation")["row"]
    for id_, record in results.records.items():
        try:
            listed = store.evaluation(id_).variants().variants
            for variant in listed:
                found = store.evaluation(variant.evaluation).record()
                if found is not None and found.spec.training == record.spec.training:
                    trained = results.trainings.get(record.training.id)
                    result = EvaluationResult(found.training, found.spec, found, trained)
                    yield str(rows[id_]), (variant.setting, variant.value), result
        except StoreError as error:
            problems.append(str(error))
