"""Verdicts as JUnit XML, which CI systems show test by test."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from bench.compare.gate.cell_checks import MetricCheck
from bench.compare.gate.gate_result import GateResult, cells_of

ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped."""

FAILURE, ERROR, SKIPPED = "failure", "error", "skipped"


def render_junit(gate: GateResult) -> bytes:
    """One test case per cell and metric.

    What moved has failed; what is unusable, or whose job failed, is an error; what nobody measured is skipped.
    """
    outcomes = [_outcome(check) for check in gate.checks]
    counts = {
        "tests": str(len(outcomes)),
        "failures": str(outcomes.count(FAILURE)),
        "errors": str(outcomes.count(ERROR)),
        "skipped": str(outcomes.count(SKIPPED)),
    }
    root = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(root, "testsuite", {"name": _text(f"bench check {gate.suite}"), **counts})
    for check, result in zip(gate.checks, outcomes, strict=True):
        _add(suite, gate.suite, check, result)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _outcome(check: MetricCheck) -> str:
    """The element that tells what became of a test case; "" for success, which has none."""
    match check.verdict:
        case "regressed" | "changed":
            return FAILURE
        case "unusable":
            return ERROR
        case "not measured":
            return ERROR if check.failed else SKIPPED
        case _:
            return ""


def _add(suite: ElementTree.Element, name: str, check: MetricCheck, result: str) -> None:
    title = ": ".join(filter(None, (check.cell, check.metric)))
    case = ElementTree.SubElement(suite, "testcase", {"classname": _text(f"bench.{name}"), "name": _text(title)})
    _, _, _, before, now, difference, allowed, detail = cells_of(check)
    numbers = f"baseline {before}, now {now}, difference {difference}, allowed {allowed}" if now else ""
    message = "; ".join(filter(None, (numbers, detail)))
    if result:
        element = ElementTree.SubElement(case, result, {"message": _text(f"{check.verdict}: {message}")})
        if result != SKIPPED:
            element.set("type", check.verdict)
            element.text = _text(f"evaluations: {', '.join(check.ids)}")
    elif message:
        ElementTree.SubElement(case, "system-out").text = _text(f"{check.verdict}: {message}")


def _text(text: str) -> str:
    """The text with a mark in place of what XML cannot hold."""
    return ILLEGAL.sub("\ufffd", text)
