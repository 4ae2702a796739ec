"""Sentences under a suite's table: what its numbers and marks mean, and what of the paper it does not have."""

from __future__ import annotations

from collections.abc import Iterator

from bench.analysis.formatting import data_name, metric_name
from bench.analysis.results import common_baseline
from bench.report.columns import Frame
from bench.statistics.estimate import LEVEL

__all__ = ["remarks_on"]


def remarks_on(frame: Frame) -> tuple[str, ...]:
    """All remarks, in reading order."""
    remarks = [*_measured(frame), *_agreement(frame), *_sizes(frame), *_baseline(frame), *_scope(frame)]
    return tuple(remarks)


def _measured(frame: Frame) -> Iterator[str]:
    condition = frame.results.conditions[0]
    yield (
        f"Measured on {data_name(condition.training.data, condition.evaluation.split)}. AP, AR and PCKh in percent,"
        " mean OKS in 0 to 1; mean over seeds, ± sample standard deviation where there are several. Bold: best of its"
        " backbone and input size, among ours and among the paper's."
    )
    findings = [frame.findings[line][frame.headline] for line in frame.lines]
    if any(finding.interval for finding in findings):
        yield f"The {LEVEL:.0%} interval covers chance between seeds, where there are several, and between images."
    if any(finding.mean is not None and finding.interval is None for finding in findings):
        yield "No interval (–): one seed, and results of single images were not kept, so nothing is known of its error."


def _agreement(frame: Frame) -> Iterator[str]:
    if any(finding.agreement for by_metric in frame.findings.values() for finding in by_metric.values()):
        yield (
            f"Against the paper, with a margin of {frame.margin_text}: ≈ equivalent, surely closer than the margin"
            f" by two one-sided tests at {1 - LEVEL:.0%}; ≠ different, all of the {LEVEL:.0%} interval is further away;"
            " ? undecided, the data allow either. That the paper prints one decimal is allowed for; the chance in its"
            " own training is not known."
        )


def _sizes(frame: Frame) -> Iterator[str]:
    yield (
        "GFLOPs: true multiply-adds per image in units of 1e9, and the paper's way of counting in units of 2^30, which"
        " is the one to hold against published GFLOPs."
    )


def _baseline(frame: Frame) -> Iterator[str]:
    records = frame.results.records
    if records:
        agreed = set(frame.wanted.metrics) <= set(common_baseline(records))
        yield (
            "The baseline puts the mean pose of the training instances into each annotated box: it is what a model that"
            " learnt nothing from the images reaches."
            if agreed
            else "Where the records disagree about the mean pose baseline, or hold none, none is shown."
        )


def _scope(frame: Frame) -> Iterator[str]:
    """What the paper's table has and this one has not, and the other way round."""
    wanted = frame.wanted
    if wanted.published_table and set(frame.compared) != set(wanted.metrics):
        printed = " and ".join(map(metric_name, frame.compared)) or "none of these metrics"
        yield f"The paper's table ({wanted.published_table}) prints {printed} only."
    answered = {line.answered.id for line in frame.lines if line.answered}
    absent = len(frame.paper) - len(answered)
    if answered and absent:
        yield (
            f"{absent} of the {len(frame.paper)} rows of the paper's table ({wanted.published_table}) are not among the"
            " combinations of this suite, or of the part of it that was selected."
        )
