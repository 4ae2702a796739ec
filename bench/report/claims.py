"""The table of claims: what the paper says, what its own numbers and ours give, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.analysis.formatting import (
    DASH,
    describe_settings,
    format_difference,
    format_interval,
    format_metric,
    metric_name,
)
from bench.analysis.results import Results
from bench.analysis.uncertainty import Uncertainty
from bench.analysis.verdicts import ClaimVerdict, Opinion, judge
from bench.report.tables import Cell, Column, Row, Table
from bench.statistics.power import MOST_SEEDS, POWER
from bench.store.documents import Record
from bench.suite.claims.language import Inequality

__all__ = ["claims_table"]

COLUMNS = (
    Column("claim", "Claim", prose=True),
    Column("that", shown=False),
    Column("source", shown=False),
    Column("case", "Case"),
    Column("metric", shown=False),
    Column("paper", "Paper", numeric=True),
    Column("ours", "Ours", numeric=True),
    Column("low", shown=False),
    Column("high", shown=False),
    Column("seeds", "Seeds", numeric=True),
    Column("verdict", "Verdict", axis=True),
    Column("explanation", "Explanation", prose=True),
)

DIGITS = 6
"""Kept of computed values in CSV: the rest is noise of binary fractions."""

NEGLIGIBLE = 1e-9
"""Weights of a difference add up to this at most."""

REMARKS = (
    "Reproduced: the 95% interval lies on the claimed side. Contradicted: on the other side. Within noise: it holds the"
    " bound, and no effect that matters. Underpowered: it holds the bound, and effects that matter too. A claim is"
    " reproduced if all its cases are, contradicted if any is, and else as good as the case of which least is known."
    " Sums in abs(...) are tested for equivalence by two one-sided tests.",
    "Intervals are over seeds where there are several and over images where per-instance results were kept, paired.",
)


def claims_table(results: Results, uncertainty: Uncertainty) -> Table | None:
    """The claims of a suite, a row per case under a row per claim; None where the suite states none."""
    judged = judge(results, uncertainty)
    if not judged:
        return None
    rows = tuple(row for number, one in enumerate(judged) for row in _rows(one, opens_group=number > 0))
    return Table("claims", "Claims of the paper", COLUMNS, rows, REMARKS)


def _rows(judged: ClaimVerdict, *, opens_group: bool) -> Iterator[Row]:
    claim, opinions = judged.claim, judged.opinions
    source = f" ({claim.source})" if claim.source else ""
    heading = (Cell(f"{claim.says}{source}", claim.id), Cell(value=str(claim.that)), Cell(value=claim.source))
    if len(opinions) == 1:
        (opinion,) = opinions
        records = _records(opinion)
        yield Row((*heading, *_cells(judged, opinion)), _ids(records), opens_group, simulated=_made_up(records))
        return
    yield _summary(judged, heading, opens_group=opens_group)
    again = (Cell(value=claim.id), *heading[1:])
    for opinion in opinions:
        records = _records(opinion)
        yield Row((*again, *_cells(judged, opinion)), _ids(records), simulated=_made_up(records))


def _summary(judged: ClaimVerdict, heading: Sequence[Cell], *, opens_group: bool) -> Row:
    """The row of a claim over those of its cases."""
    opinions, blank = judged.opinions, (Cell(), Cell(), Cell(), Cell(), Cell())
    verdicts = [opinion.verdict for opinion in opinions]
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts))
    cells = (
        *heading,
        Cell(f"all {len(opinions)}", "all"),
        Cell(value=judged.claim.that.metric),
        *blank,
        Cell(judged.verdict, judged.verdict),
        Cell(counts, counts),
    )
    simulated = any(_made_up(_records(opinion)) for opinion in opinions)
    return Row(cells, opens_group=opens_group, simulated=simulated)


def _cells(judged: ClaimVerdict, opinion: Opinion) -> tuple[Cell, ...]:
    """From the case on."""
    that, estimate = judged.claim.that, opinion.estimate
    case = describe_settings(opinion.case.values) or DASH
    interval = estimate.interval() if estimate is not None else None
    low, high = interval or (None, None)
    ours = _ours(that, opinion)
    value = None if estimate is None else _rounded(estimate.value)
    seeds = None if estimate is None else estimate.seeds
    explanation = _explain(judged, opinion)
    return (
        Cell(case, "" if case == DASH else case),
        Cell(value=that.metric),
        Cell(DASH if opinion.paper is None else _effect(that, opinion.paper), _rounded(opinion.paper)),
        Cell(ours, value),
        Cell(value=_rounded(low)),
        Cell(value=_rounded(high)),
        Cell(DASH if seeds is None else str(seeds), seeds),
        Cell(opinion.verdict, opinion.verdict),
        Cell(explanation, explanation),
    )


def _ours(that: Inequality, opinion: Opinion) -> str:
    if opinion.estimate is None:
        return DASH
    interval = opinion.estimate.interval()
    text = _effect(that, opinion.estimate.value)
    return text if interval is None else f"{text} {format_interval(that.metric, interval)}"


def _effect(that: Inequality, value: float) -> str:
    """A difference with its sign, a level without."""
    is_difference = abs(sum(weight for weight, _ in that.terms)) <= NEGLIGIBLE
    return format_difference(that.metric, value) if is_difference else format_metric(that.metric, value)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def _records(opinion: Opinion) -> list[Record]:
    return [record for condition in opinion.conditions for record in condition.records]


def _ids(records: Sequence[Record]) -> tuple[str, ...]:
    return tuple(record.id for record in records)


def _made_up(records: Sequence[Record]) -> bool:
    return any(record.simulated for record in records)


def _explain(judged: ClaimVerdict, opinion: Opinion) -> str:
    """Why a case got its verdict, as far as its numbers do not say it."""
    metric, estimate = judged.claim.that.metric, opinion.estimate
    if estimate is None:
        return "; ".join(f"{term}: {reason}" for term, reason in (opinion.missing or {}).items())
    notes = []
    if opinion.p is not None:
        bound = format_metric(metric, judged.claim.that.bound)
        notes.append(f"equivalence within ±{bound}: p = {opinion.p:.3f}")
    if opinion.verdict == "within noise":
        notes.append(f"no effect beyond ±{format_metric(metric, judged.claim.matters)} {metric_name(metric)}")
    if opinion.verdict == "underpowered":
        notes.append(_shortage(judged, opinion))
    elif "seeds" not in estimate.sources:
        notes.append("one seed: chance between trainings is not in the interval")
    return "; ".join(notes)


def _shortage(judged: ClaimVerdict, opinion: Opinion) -> str:
    """What it would take to tell."""
    estimate = opinion.estimate
    assert estimate is not None, "what is underpowered is measured"
    if not estimate.sources:
        return "one seed and no per-instance results: nothing is known of the error"
    if "seeds" not in estimate.sources:
        return "one seed: how trainings differ, and so how many it takes, is not known"
    metric = judged.claim.that.metric
    sought = f"an effect of {format_metric(metric, opinion.sought)} with {POWER:.0%} power"
    if opinion.seeds_needed is None:
        if "images" in estimate.sources:
            return f"these images are too few to find {sought}, however many seeds"
        return f"more than {MOST_SEEDS} seeds of each training would be needed to find {sought}"
    more = opinion.seeds_needed - estimate.seeds
    return f"{opinion.seeds_needed} seeds of each training ({more} more) would find {sought}"
