"""Sentences under a suite's table: what its numbers and marks mean, and what of the paper it does not have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench.analysis.formatting import data_name, metric_name
from bench.analysis.rows import common_baseline
from bench.statistics.variances import LEVEL

if TYPE_CHECKING:
    from bench.report.suite_tables import TableData


def remarks_on(data: TableData) -> tuple[str, ...]:
    """All remarks, in reading order."""
    return (*_measured(data), *_agreement(data), *_sizes_and_baseline(data), *_scope(data))


def _measured(data: TableData) -> Iterator[str]:
    dataset = data.results.plan.suite.dataset
    yield (
        f"Measured on {data_name(dataset.info, dataset.eval)}. AP, AR, PCK and PCKh in percent, mean OKS in 0 to 1;"
        " mean over seeds, ± sample standard deviation where there are several. Bold: best of its backbone and input"
        " size, among ours and among the paper's."
    )
    findings = data.headline_findings
    if any(finding.low is not None for finding in findings):
        yield f"The {LEVEL:.0%} interval covers chance between seeds, where there are several, and between images."
    if any(finding.mean is not None and finding.low is None for finding in findings):
        yield "No interval (–): one seed, and no results of two images or more, so nothing is known of its error."


def _agreement(data: TableData) -> Iterator[str]:
    if any(finding.agreement for row in data.rows for finding in row.findings.values()):
        yield (
            f"Against the paper, with a margin of {data.margin_text}: ≈ equivalent, surely closer than the margin"
            f" by two one-sided tests at {1 - LEVEL:.0%}; ≠ different, all of the {LEVEL:.0%} interval is further away;"
            " ? undecided, the data allow either. That the paper prints one decimal is allowed for; the chance in its"
            " own training is not known."
        )


def _sizes_and_baseline(data: TableData) -> Iterator[str]:
    yield (
        "GFLOPs: true multiply-adds per image in units of 1e9, and the paper's way of counting in units of 2^30, which"
        " is the one to hold against published GFLOPs."
    )
    frame = data.results.frame
    judged = {metric for metric in data.wanted.metrics if frame[metric].notna().any()}
    if judged and judged <= common_baseline(frame).keys():
        yield (
            "The baseline puts the mean pose of the training instances into each annotated box: it is what a model that"
            " learnt nothing from the images reaches."
        )
    elif (frame["state"] == "done").any():
        yield "Where the records disagree about the mean pose baseline, or hold none, none is shown."


def _scope(data: TableData) -> Iterator[str]:
    """What the paper's table has and this one has not, and the other way round."""
    wanted = data.wanted
    if wanted.published_table and set(data.compared) != set(wanted.metrics):
        printed = " and ".join(map(metric_name, data.compared)) or "none of these metrics"
        yield f"The paper's table ({wanted.published_table}) prints {printed} only."
    answered = {row.answered.id for row in data.rows if row.answered}
    absent = len(data.paper) - len(answered)
    if answered and absent:
        yield (
            f"{absent} of the {len(data.paper)} rows of the paper's table ({wanted.published_table}) are not among the"
            " combinations of this suite, or of the part of it that was selected."
        )
