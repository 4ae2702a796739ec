"""What became of a claim: a verdict on each of its cases, and one on the whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import pandas as pd

from bench.analysis.frame import row_id
from bench.analysis.results import Results
from bench.analysis.rows import find_nobody, split_rows
from bench.analysis.scale import Scale, scale_of
from bench.analysis.uncertainty import Uncertainty
from bench.statistics.equivalence import equivalence
from bench.statistics.estimate import EffectEstimate
from bench.suite.claims.cases import OWN, Claim, ClaimCase
from bench.suite.claims.language import Inequality, Term
from bench.suite.expansion import expand

Verdict = Literal["contradicted", "not measured", "underpowered", "within noise", "reproduced"]

VERDICTS: tuple[Verdict, ...] = ("contradicted", "not measured", "underpowered", "within noise", "reproduced")
"""Verdicts by weight, heaviest first: a claim gets the first of these that any of its cases has."""

Outcome = Literal["falsified", "toy", "inconclusive", "verified"]

OUTCOMES: tuple[Outcome, ...] = ("falsified", "toy", "inconclusive", "verified")
"""Outcomes by weight, likewise: words of the reproduction campaign of 2026, which speak about the claim as it was made,
while verdicts speak about what was measured here. docs/statistics.md has the rule of each."""


@dataclass(frozen=True)
class Flip:
    """A choice of the protocol under which a claim's sum lies on the other side of its bound.

    Attributes:
        setting: that is chosen otherwise.
        value: in words.
        estimate: the sum under this choice.
    """

    setting: str
    value: str
    estimate: EffectEstimate


@dataclass(frozen=True)
class CaseVerdict:
    """The verdict on one case of a claim.

    Attributes:
        case: the case.
        verdict: the verdict on it.
        estimate: the claim's sum; None where it is not measured.
        p: result of the test of equivalence, for sums in `abs(...)`.
        paper: the same sum of the paper's own numbers; None where it does not print all of them.
        missing: why terms are not measured.
        weights: of the rows that were measured in the sum, by their ids, see `load_results`.
        seeds_needed: seeds of each training that would find the sought effect; None where that is not known.
        sought: the effect beyond the bound for which seeds were counted.
        scale: of what was measured; None where nothing was.
        outcome: what it says about the claim.
        flips: choices of the protocol that would put it on the other side, as far as they were measured.
    """

    case: ClaimCase
    verdict: Verdict
    estimate: EffectEstimate | None = None
    p: float | None = None
    paper: float | None = None
    missing: Mapping[Term, str] | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    seeds_needed: int | None = None
    sought: float = 0.0
    scale: Scale | None = None
    outcome: Outcome = "inconclusive"
    flips: tuple[Flip, ...] = ()


@dataclass(frozen=True)
class ClaimVerdict:
    """The verdicts on a claim and its cases.

    Attributes:
        claim: the claim.
        cases: the verdicts on its cases.
        scale: of all that was measured for it; None where nothing was.
    """

    claim: Claim
    cases: tuple[CaseVerdict, ...]
    scale: Scale | None = None

    @property
    def verdict(self) -> Verdict:
        """Reproduced if all cases are, contradicted if any is, else what says least; not measured without cases."""
        return min((case.verdict for case in self.cases), key=VERDICTS.index, default="not measured")

    @property
    def outcome(self) -> Outcome:
        """Verified if all cases are, falsified if any is, else toy if any is; inconclusive without cases."""
        return min((case.outcome for case in self.cases), key=OUTCOMES.index, default="inconclusive")


def judge(results: Results, uncertainty: Uncertainty) -> tuple[ClaimVerdict, ...]:
    """Judge the claims of a suite by its results, in the suite's order."""
    suite = results.plan.suite
    if not suite.claims:
        return ()
    rows = split_rows(results.frame)
    cases = expand(suite).cases
    done = results.frame[results.frame["state"] == "done"]

    def scale(ids: Iterable[str]) -> Scale | None:
        return scale_of(done[done["row"].isin([*ids])], suite.dataset.info)

    def judged(claim: Claim) -> ClaimVerdict:
        found = [_judge_case(claim, case, rows, uncertainty) for case in cases[claim.id]]
        found = [replace(case, scale=scale(case.weights)) for case in found]
        complete = tuple(replace(case, outcome=_outcome(claim, case)) for case in found)
        return ClaimVerdict(claim, complete, scale(id_ for case in complete for id_ in case.weights))

    return tuple(map(judged, suite.claims))


def _outcome(claim: Claim, case: CaseVerdict) -> Outcome:
    """What a case says about the claim as it was made: at the paper's scale, or the suite's where it is its own."""
    if case.scale is None or case.estimate is None:
        return "inconclusive"
    if case.scale.simulated or (claim.by != OWN and case.scale.toy):
        return "toy"
    if (claim.by != OWN and not case.scale.known) or "seeds" not in case.estimate.sources:
        return "inconclusive"
    decided: Mapping[Verdict, Outcome] = {"reproduced": "verified", "contradicted": "falsified"}
    return decided.get(case.verdict, "inconclusive")


def _judge_case(
    claim: Claim, case: ClaimCase, rows: Mapping[str, pd.DataFrame], uncertainty: Uncertainty
) -> CaseVerdict:
    that = claim.that
    ids = {term: row_id(cell) for term, cell in case.cells.items()}
    paper = _published(case, that.metric, {term: rows.get(id_) for term, id_ in ids.items()})
    missing = {term: reason for term, id_ in ids.items() if (reason := _missing(rows.get(id_), that.metric))}
    weights = {ids[term]: weight for weight, term in case.terms}
    estimate = None if missing else uncertainty.combination(weights, that.metric)
    if estimate is None:
        alone = dict.fromkeys(ids, "its seeds are others than those of the other terms")
        return CaseVerdict(case, "not measured", paper=paper, missing=missing or alone)
    verdict, p = _verdict(estimate, that, claim.matters)
    found = CaseVerdict(case, verdict, estimate, p, paper, None, weights)
    if verdict != "underpowered":
        return found
    effects = sorted((claim.matters, abs(_distance(estimate.value, that))), reverse=True)
    for sought in effects:
        needed = uncertainty.seeds_needed(weights, that.metric, sought)
        found = replace(found, seeds_needed=needed, sought=sought)
        if needed is None or needed > estimate.seeds:  # else they were enough for this, and it is the smaller effect
            break
    return found


def _verdict(estimate: EffectEstimate, that: Inequality, matters: float) -> tuple[Verdict, float | None]:
    """The verdict on an estimated sum, with the p of its equivalence for sums in `abs(...)`."""
    interval = estimate.interval()
    if interval is None:
        return "underpowered", None
    p = None
    if that.absolute:
        test = equivalence(estimate, that.bound)
        p = test.p
        settled: Mapping[str, Verdict] = {"equivalent": "reproduced", "different": "contradicted"}
        if test.agreement in settled:
            return settled[test.agreement], p
    else:
        low, high = (end - that.bound for end in interval)
        if that.relation.startswith("<"):
            low, high = -high, -low
        if low > 0 or high < 0:
            return "reproduced" if low > 0 else "contradicted", p
    reach = max(abs(_distance(end, that, estimate.value)) for end in interval)
    return ("within noise" if reach <= matters else "underpowered"), p


def _distance(value: float, that: Inequality, nearest_to: float | None = None) -> float:
    """The distance from the bound; a sum in `abs(...)` has two, and the one on the side of `nearest_to` counts."""
    side = value if nearest_to is None else nearest_to
    return value - (-that.bound if that.absolute and side < 0 else that.bound)


def _published(case: ClaimCase, metric: str, rows: Mapping[Term, pd.DataFrame | None]) -> float | None:
    """The sum of the paper's own numbers; None unless it prints all of them."""
    total = 0.0
    for weight, term in case.terms:
        row = rows[term]
        value = float("nan") if row is None else row[f"published_{metric}"].iloc[0]
        total += weight * value
    return None if pd.isna(total) else float(total)


def _missing(row: pd.DataFrame | None, metric: str) -> str:
    """Why nothing is measured; "" where at least one seed is."""
    if row is None:
        return "not selected"
    if row["subset"].notna().any() or row["evaluation_subset"].notna().any():
        return "a subset of the images says nothing of it"
    if row[metric].notna().any():
        return ""
    if (row["state"] == "done").any():
        return find_nobody(row, metric) or f"the records hold no {metric}"
    return "; ".join(row["reason"].unique())
