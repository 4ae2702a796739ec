"""The table of claims: what was said, what the paper's own numbers and ours give, the verdict, and at what scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.analysis.formatting import (
    DASH,
    describe_settings,
    format_difference,
    format_interval,
    format_metric,
    metric_name,
    setting_name,
)
from bench.analysis.results import Results
from bench.analysis.scale import ENOUGH, Scale, TrainingLength
from bench.analysis.verdicts import CaseVerdict, ClaimVerdict, Flip
from bench.report.tables import Column, Row, Table, TableCell
from bench.statistics.power import MOST_SEEDS, POWER
from bench.suite.claims.language import Inequality

DIGITS = 6
"""Digits of computed values in CSV: the rest is noise of binary fractions."""

NEGLIGIBLE = 1e-9
"""The largest sum of weights of a difference."""

REMARKS = (
    "Reproduced: the 95% interval lies on the claimed side. Contradicted: it lies on the other side. Within noise: it"
    " holds the bound, and no effect that matters. Underpowered: it holds the bound, and effects that matter too. A"
    " claim is reproduced if all its cases are, contradicted if any is, and otherwise gets the verdict of its least"
    " certain case. Sums in abs(...) are tested for equivalence by two one-sided tests.",
    "Outcome: what that says about the claim as it was made. Verified, falsified: the interval decides, over several"
    f" seeds, at the paper's scale: its data, backbone and input size, and at least {ENOUGH:.0%} of the instances that"
    " its training saw. Toy: less than that, so that it cannot speak about the paper, whatever its sign. Inconclusive:"
    " not decided, or from one seed of every training, or at an unknown scale. A suite's own claims are judged at its"
    " own scale.",
    "Intervals are over seeds where there are several and over images where per-instance results were kept, paired.",
)


@dataclass(frozen=True)
class ClaimRow:
    """A row of the table: one case of a claim, or all of them together, where `case` is None.

    Attributes:
        judged: the claim.
        case: the verdict on one of its cases.
        first: whether it is the claim's first row, which states the sentence.
    """

    judged: ClaimVerdict
    case: CaseVerdict | None
    first: bool

    @property
    def that(self) -> Inequality:
        """The claim's inequality."""
        return self.judged.claim.that


def claims_table(results: Results, judged: Sequence[ClaimVerdict]) -> Table | None:
    """The claims of a suite, a row per case under a row per claim; None where the suite states none."""
    if not judged:
        return None
    done = results.frame[results.frame["state"] == "done"].set_index("row")
    rows = [
        _row(done, row, opens_group=number > 0 and row.first)
        for number, claim in enumerate(judged)
        for row in _claim_rows(claim)
    ]
    return Table("claims", "Claims", COLUMNS, tuple(rows), REMARKS)


def describe_claim(judged: ClaimVerdict) -> str:
    """What became of a claim, in one sentence."""
    whole = next(_claim_rows(judged))
    if whole.case is None:
        effect = f" (cases: {_explanation(whole).text})"
    else:
        effect = f" ({_ours(whole, whole.case).text})" if whole.case.estimate else ""
    scale = f" ({judged.scale})" if judged.scale is not None else ""
    return f"{judged.claim.says}: {judged.verdict}{effect}; {judged.outcome}{scale}."


def _claim_rows(judged: ClaimVerdict) -> Iterator[ClaimRow]:
    several = len(judged.cases) != 1
    if several:
        yield ClaimRow(judged, None, first=True)
    yield from (ClaimRow(judged, case, first=not several) for case in judged.cases)


def _row(done: pd.DataFrame, row: ClaimRow, *, opens_group: bool) -> Row:
    cases = row.judged.cases if row.case is None else (row.case,)
    ids = [id_ for case in cases for id_ in case.weights]
    records = done.loc[ids]
    named = tuple(records["evaluation"]) if row.case is not None else ()  # the cases of a claim name them
    cells = tuple(column.cell(row) for column in COLUMNS)
    return Row(cells, named, opens_group, simulated=bool(records["simulated"].any()))


def _of_case(cell: Callable[[ClaimRow, CaseVerdict], TableCell]) -> Callable[[ClaimRow], TableCell]:
    """A cell of single cases, empty in the row of the whole claim."""
    return lambda row: TableCell() if row.case is None else cell(row, row.case)


def _sentence(row: ClaimRow) -> TableCell:
    claim = row.judged.claim
    source = f" ({claim.origin})" if claim.origin else ""
    return TableCell(f"{claim.says}{source}" if row.first else "", claim.id)


def _case(row: ClaimRow) -> TableCell:
    if row.case is None:
        return TableCell(f"all {len(row.judged.cases)}", "all") if row.judged.cases else TableCell(DASH, "")
    text = describe_settings(row.case.case.values)
    return TableCell(text or DASH, text)


def _paper(row: ClaimRow, case: CaseVerdict) -> TableCell:
    return TableCell(DASH if case.paper is None else _effect(row.that, case.paper), _rounded(case.paper))


def _ours(row: ClaimRow, case: CaseVerdict) -> TableCell:
    if case.estimate is None:
        return TableCell(DASH)
    interval = case.estimate.interval()
    text = _effect(row.that, case.estimate.value)
    text += "" if interval is None else f" {format_interval(row.that.metric, interval)}"
    return TableCell(text, _rounded(case.estimate.value))


def _end(number: int) -> Callable[[ClaimRow, CaseVerdict], TableCell]:
    def cell(_: ClaimRow, case: CaseVerdict) -> TableCell:
        interval = None if case.estimate is None else case.estimate.interval()
        return TableCell(value=None if interval is None else _rounded(interval[number]))

    return cell


def _seeds(_: ClaimRow, case: CaseVerdict) -> TableCell:
    return TableCell(DASH) if case.estimate is None else TableCell(str(case.estimate.seeds), case.estimate.seeds)


def _verdict(row: ClaimRow) -> TableCell:
    verdict = row.judged.verdict if row.case is None else row.case.verdict
    return TableCell(verdict, verdict)


def _outcome(row: ClaimRow) -> TableCell:
    outcome = row.judged.outcome if row.case is None else row.case.outcome
    return TableCell(outcome, outcome)


def _scale_of(row: ClaimRow) -> Scale | None:
    return row.judged.scale if row.case is None else row.case.scale


def _scale(row: ClaimRow) -> TableCell:
    """The scale in words, which a case does not say again after its claim."""
    scale = _scale_of(row)
    if scale is None:
        return TableCell(DASH)
    again = not row.first and str(scale) == str(row.judged.scale)
    return TableCell("" if again else str(scale), str(scale))


def _of_least(number: Callable[[TrainingLength], float]) -> Callable[[ClaimRow], TableCell]:
    """A number of the training that saw the smallest part of the paper's instances."""

    def cell(row: ClaimRow) -> TableCell:
        scale = _scale_of(row)
        return TableCell(value=None if scale is None or scale.least is None else number(scale.least))

    return cell


def _explanation(row: ClaimRow) -> TableCell:
    if row.case is None:
        verdicts = [case.verdict for case in row.judged.cases]
        text = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts))
        text = text or "the settings given on the command line leave no cells to compare"
    else:
        text = _explain(row.judged, row.case)
    return TableCell(text, text)


COLUMNS: tuple[Column[ClaimRow], ...] = (
    Column("claim", "Claim", cell=_sentence, prose=True),
    Column("that", shown=False, cell=lambda row: TableCell(value=str(row.that))),
    Column("by", shown=False, cell=lambda row: TableCell(value=row.judged.claim.by)),
    Column("source", shown=False, cell=lambda row: TableCell(value=row.judged.claim.source)),
    Column("case", "Case", cell=_case),
    Column("metric", shown=False, cell=lambda row: TableCell(value=row.that.metric)),
    Column("paper", "Paper", cell=_of_case(_paper), numeric=True),
    Column("ours", "Ours", cell=_of_case(_ours), numeric=True),
    Column("low", shown=False, cell=_of_case(_end(0))),
    Column("high", shown=False, cell=_of_case(_end(1))),
    Column("seeds", "Seeds", cell=_of_case(_seeds), numeric=True),
    Column("verdict", "Verdict", cell=_verdict, axis=True),
    Column("outcome", "Outcome", cell=_outcome, axis=True),
    Column("scale", "Scale", cell=_scale, prose=True),
    Column("instances_seen", shown=False, cell=_of_least(lambda training: training.seen)),
    Column("instances_seen_paper", shown=False, cell=_of_least(lambda training: training.paper)),
    Column("explanation", "Explanation", cell=_explanation, prose=True),
)


def _effect(that: Inequality, value: float) -> str:
    """A difference with its sign, a level without."""
    is_difference = abs(sum(weight for weight, term in that.terms if term.trend is None)) <= NEGLIGIBLE
    return format_difference(that.metric, value) if is_difference else format_metric(that.metric, value)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def _explain(judged: ClaimVerdict, case: CaseVerdict) -> str:
    """Why a case got its verdict, as far as its numbers do not say it."""
    metric, estimate = judged.claim.that.metric, case.estimate
    if estimate is None:
        return "; ".join(f"{term}: {reason}" for term, reason in (case.missing or {}).items())
    notes = []
    if case.p is not None:
        bound = format_metric(metric, judged.claim.that.bound)
        notes.append(f"equivalence within ±{bound}: p = {case.p:.3f}")
    if case.verdict == "within noise":
        notes.append(f"no effect beyond ±{format_metric(metric, judged.claim.matters)} {metric_name(metric)}")
    if case.verdict == "underpowered":
        notes.append(_shortage(judged, case))
    elif "seeds" not in estimate.sources:
        notes.append("one seed: chance between trainings is not in the interval")
    notes += [_flip(metric, flip) for flip in case.flips]
    return "; ".join(notes)


def _flip(metric: str, flip: Flip) -> str:
    """A choice on which the claim hangs."""
    interval = flip.estimate.interval()
    ends = "" if interval is None else f" {format_interval(metric, interval)}"
    choice = f"{setting_name(flip.setting)} {flip.value}"
    return f"fragile: with {choice} it is {format_difference(metric, flip.estimate.value)}{ends}"


def _shortage(judged: ClaimVerdict, case: CaseVerdict) -> str:
    """What it would take to tell."""
    estimate = case.estimate
    assert estimate is not None, "what is underpowered is measured"
    if not estimate.sources:
        return "one seed and no per-instance results: nothing is known of the error"
    if "seeds" not in estimate.sources:
        return "one seed: how trainings differ, and so how many it takes, is not known"
    metric = judged.claim.that.metric
    sought = f"an effect of {format_metric(metric, case.sought)} with {POWER:.0%} power"
    if case.seeds_needed is None:
        if "images" in estimate.sources:
            return f"these images are too few to find {sought}, however many seeds"
        return f"more than {MOST_SEEDS} seeds of each training would be needed to find {sought}"
    more = case.seeds_needed - estimate.seeds
    return f"{case.seeds_needed} seeds of each training ({more} more) would find {sought}"
