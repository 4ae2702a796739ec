"""Claims as suites declare them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints

from bench.pose.data.datasets import DatasetInfo
from bench.pose.metrics.catalog import metrics_of, noticeable
from bench.suite.claims.cases import Claim
from bench.suite.claims.language import LanguageError, parse
from bench.suite.claims.selectors import claim_settings, read_selection, setting_key
from bench.suite.rules import read_values
from bench.suite.source import Path_, Problem, Source
from bench.suite.spec_values import Positive
from bench.suite.structure import unknown
from bench.suite.weights_names import WeightsNames

LONGEST = 1000
"""Characters of an inequality."""


class Declaration(BaseModel):
    """A claim.

    Attributes:
        id: names it.
        says: the sentence.
        that: the sentence as an inequality, see `bench.suite.claims.language`; numbers in the units of records.
        at: values of settings, one or a list of each, that all terms are restricted to.
        matters: an effect below this is too small to matter, in the units of records; `noticeable` if not given.
        source: where the paper says it.
        by: who says it: "paper", the name of another paper, or "suite" for a claim of the suite's own.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$")]
    says: Annotated[str, StringConstraints(min_length=1)]
    that: Annotated[str, StringConstraints(max_length=LONGEST)]
    at: dict[str, Any] = {}
    matters: Positive | None = None
    source: str = ""
    by: Annotated[str, StringConstraints(min_length=1)] = "paper"


def read_claims(
    declarations: Sequence[Declaration],
    *,
    data: DatasetInfo,
    axes: Mapping[str, Sequence[Any]],
    weights: WeightsNames,
    source: Source,
    problems: list[Problem],
) -> tuple[Claim, ...]:
    """The claims of a suite; what is wrong with them is added to `problems`.

    Args:
        declarations: in the order of the file.
        data: of the suite, whose metrics it has.
        axes: of the suite.
        weights: files by the names that the suite gives them.
        source: the file.
        problems: collects what is wrong.
    """
    claims = []
    for number, declared in enumerate(declarations):
        here: Path_ = ("claims", number)
        at = {
            setting_key(name): read_values(name, value, (*here, "at", name), problems, valid=claim_settings())
            for name, value in weights.in_settings(declared.at, (*here, "at")).items()
        }
        try:
            that = parse(declared.that)
            if that.metric not in metrics_of(data):
                raise LanguageError(that.terms[0][1].column, unknown("metric", that.metric, metrics_of(data)))
            selections = {term: read_selection(term, axes, weights.hashes) for _, term in that.terms}
        except LanguageError as error:
            problems.append(Problem((*here, "that"), f"that: {error}"))
            continue
        matters = noticeable(that.metric) if declared.matters is None else declared.matters
        place = f"{source.file}:{source.line((*here, 'that'))}"
        claims.append(
            Claim(
                id=declared.id, says=declared.says, by=declared.by, source=declared.source, that=that,
                selections=selections, at=at, matters=matters, place=place,
            )
        )  # fmt: skip
    return tuple(claims)
