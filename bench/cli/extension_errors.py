"""Errors of extensions: told with their place, for they are nobody's fault but the extension's."""

from __future__ import annotations

from contextlib import suppress

from bench.extensions import RESULT_KINDS, line_in, place_of
from bench.planning.executors import EXECUTORS
from bench.pose.errors import ExtensionError
from bench.report.formats import FORMATS

__all__ = ["blame"]


def blame(error: BaseException) -> str | None:
    """The innermost line of an extension that an error came through, and what it says; None for an error of bench."""
    origins = {origin for kind in (*RESULT_KINDS, EXECUTORS, FORMATS) for origin in map(kind.origin, kind) if origin}
    places = set()
    for origin in origins:
        with suppress(ExtensionError):  # one that is no file has no lines either
            places.add(place_of(origin.partition(".")[0]))
    line = line_in(error, places)
    return None if line is None else f"{line}: {type(error).__name__}: {error}"
