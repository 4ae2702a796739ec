"""Checks and what they find. Imports nothing that could be broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

__all__ = ["INSTALL", "Check", "Finding", "Verdict", "fault", "merged", "ok", "skipped", "warning"]

Verdict = Literal["ok", "warning", "fault", "skipped"]
"""As it should be; works, but not as well as it could; does not work; there was nothing to look at."""

GRAVITY: tuple[Verdict, ...] = ("skipped", "ok", "warning", "fault")

MAX_NAMED = 5

INSTALL = "install the project into this environment again: python -m pip install --editable ."
"""What to do where something cannot be imported."""


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        verdict: on it.
        found: in words.
        fix: what to do about a warning or a fault; empty where there is nothing to do.
    """

    verdict: Verdict
    found: str
    fix: str = ""


@dataclass(frozen=True)
class Check:
    """One thing to look at.

    Attributes:
        name: of it, different from all others.
        look: finds out. What it raises is a fault.
        fix: what to do in that case, and where looking crashed or took too long.
        seconds: that it may take.
    """

    name: str
    look: Callable[[], Finding]
    fix: str
    seconds: float = 60.0


def ok(found: str) -> Finding:
    """All is as it should be."""
    return Finding("ok", found)


def warning(found: str, fix: str) -> Finding:
    """It works, but not as well as it could."""
    return Finding("warning", found, fix)


def fault(found: str, fix: str) -> Finding:
    """Something does not work."""
    return Finding("fault", found, fix)


def skipped(found: str) -> Finding:
    """There was nothing to look at."""
    return Finding("skipped", found)


def merged(findings: Iterable[Finding], otherwise: str) -> Finding:
    """Several findings of one check as one: the gravest verdict, all that was found, each advice once.

    Args:
        findings: of them no more than a few are named.
        otherwise: what was found where there are none.
    """
    several = sorted(findings, key=lambda finding: -GRAVITY.index(finding.verdict))
    if not several:
        return ok(otherwise)
    named = [finding.found for finding in several[:MAX_NAMED]]
    if len(several) > MAX_NAMED:
        named.append(f"and {len(several) - MAX_NAMED:,} more")
    advice = dict.fromkeys(finding.fix for finding in several[:MAX_NAMED] if finding.fix)
    return Finding(several[0].verdict, "\n".join(named), "\n".join(advice))
