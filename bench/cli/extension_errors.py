"""Errors of extensions, with the extension's file and line."""

from __future__ import annotations

from contextlib import suppress

from bench.extensions import RESULT_KINDS, line_in, place_of
from bench.planning.executors import EXECUTORS
from bench.pose.errors import ExtensionError
from bench.report.formats import FORMATS


def describe_extension_error(error: BaseException) -> str | None:
    """Message of an error with the innermost line of an extension in its traceback; None if there is none."""
    origins = {origin for kind in (*RESULT_KINDS, EXECUTORS, FORMATS) for origin in map(kind.origin, kind) if origin}
    places = set()
    for origin in origins:
        with suppress(ExtensionError):  # an extension without a file has no lines
            places.add(place_of(origin.partition(".")[0]))
    line = line_in(error, places)
    return None if line is None else f"{line}: {type(error).__name__}: {error}"
