"""What became of a claim: a verdict on each of its cases, and one on the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bench.analysis.results import Condition, Results
from bench.analysis.uncertainty import Uncertainty
from bench.statistics.equivalence import equivalence
from bench.statistics.estimate import Estimate
from bench.suite.claims.cases import Claim, ClaimCase
from bench.suite.claims.language import Inequality, Term
from bench.suite.expansion import expand

__all__ = ["ClaimVerdict", "Opinion", "Verdict", "judge"]

Verdict = Literal["contradicted", "not measured", "underpowered", "within noise", "reproduced"]

VERDICTS: tuple[Verdict, ...] = ("contradicted", "not measured", "underpowered", "within noise", "reproduced")
"""From the one that weighs most: the verdict on a claim is the first of these that any of its cases has."""


@dataclass(frozen=True)
class Opinion:
    """The verdict on one case.

    Attributes:
        case: that is judged.
        verdict: on it.
        estimate: of the claim's sum; None where it is not measured.
        p: of the test of equivalence, for sums in `abs(...)`.
        paper: the same sum of the paper's own numbers; None where it does not print all of them.
        missing: why terms are not measured.
        conditions: that were measured.
        seeds_needed: of each training, to find the effect that is sought; None where that is not known.
        sought: effect, beyond the bound, for which seeds were counted.
    """

    case: ClaimCase
    verdict: Verdict
    estimate: Estimate | None = None
    p: float | None = None
    paper: float | None = None
    missing: Mapping[Term, str] | None = None
    conditions: tuple[Condition, ...] = ()
    seeds_needed: int | None = None
    sought: float = 0.0


@dataclass(frozen=True)
class ClaimVerdict:
    """The verdicts on a claim and its cases."""

    claim: Claim
    opinions: tuple[Opinion, ...]

    @property
    def verdict(self) -> Verdict:
        """Reproduced if all cases are, contradicted if any is, else the one that says least."""
        return min((opinion.verdict for opinion in self.opinions), key=VERDICTS.index)


def judge(results: Results, uncertainty: Uncertainty) -> tuple[ClaimVerdict, ...]:
    """Judge the claims of a suite by its results, in the suite's order."""
    suite = results.plan.suite
    if not suite.claims:
        return ()
    conditions = {tuple(condition.settings.values()): condition for condition in results.conditions}
    cases = expand(suite).cases
    return tuple(
        ClaimVerdict(claim, tuple(_judge_case(claim, case, conditions, uncertainty) for case in cases[claim.id]))
        for claim in suite.claims
    )


def _judge_case(
    claim: Claim, case: ClaimCase, conditions: Mapping[tuple[object, ...], Condition], uncertainty: Uncertainty
) -> Opinion:
    that = claim.that
    found = {term: conditions.get(tuple(case.cells[term].values())) for _, term in that.terms}
    planned = {term: condition for term, condition in found.items() if condition is not None}
    paper = _published(that, planned)
    missing = {term: reason for term, condition in found.items() if (reason := _missing(condition, that.metric))}
    weights = {planned[term]: weight for weight, term in that.terms if term in planned}
    estimate = None if missing else uncertainty.combination(weights, that.metric)
    if estimate is None:
        alone = dict.fromkeys(planned, "its seeds are others than those of the other terms")
        return Opinion(case, "not measured", paper=paper, missing=missing or alone)
    verdict, p = _verdict(estimate, that, claim.matters)
    opinion = Opinion(case, verdict, estimate, p, paper, None, tuple(weights))
    if verdict != "underpowered":
        return opinion
    effects = sorted((claim.matters, abs(_distance(estimate.value, that))), reverse=True)
    for sought in effects:
        needed = uncertainty.seeds_needed(weights, that.metric, sought)
        opinion = replace(opinion, seeds_needed=needed, sought=sought)
        if needed is None or needed > estimate.seeds:  # else they were enough for this, and it is the smaller effect
            break
    return opinion


def _verdict(estimate: Estimate, that: Inequality, matters: float) -> tuple[Verdict, float | None]:
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
    """From the bound; of the two bounds on a sum in `abs(...)`, from that on the side of `nearest_to`."""
    side = value if nearest_to is None else nearest_to
    return value - (-that.bound if that.absolute and side < 0 else that.bound)


def _published(that: Inequality, conditions: Mapping[Term, Condition]) -> float | None:
    """The sum of the paper's own numbers; None unless it prints all of them."""
    total = 0.0
    for weight, term in that.terms:
        rows = conditions[term].measurements[0].evaluation.published if term in conditions else ()
        values = [row.metrics[that.metric] for row in rows if that.metric in row.metrics]
        if not values:
            return None
        total += weight * values[0]
    return total


def _missing(condition: Condition | None, metric: str) -> str:
    """Why nothing is measured; "" where at least one seed is."""
    if condition is None:
        return "not selected"
    if condition.mean(metric) is not None:
        return ""
    if condition.records:
        return f"the records hold no {metric}"
    return _listed([item.reason for item in condition.measurements])


def _listed(reasons: Sequence[str]) -> str:
    return "; ".join(dict.fromkeys(reasons))
