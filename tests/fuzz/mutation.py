"""Strategies that change valid documents at random places, so that what comes of them goes deep into a parser."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import hypothesis.strategies as st

__all__ = ["CHARACTERS", "VALUES", "broken", "damaged", "garbled", "mutated", "mutated_json"]

MOST_CHANGES = 3

CHARACTERS = st.characters(codec=None)
"""Any, half surrogate pairs and control characters among them."""

NUMBERS = st.sampled_from(
    [0, -1, 1, 2, 31, 2**31, -(2**63), 2**63, 2**64, 10**30, 0.0, -0.0, 0.5, 1e-320, 1e308, float("inf"), float("nan")]
)
TEXTS = st.sampled_from(
    ["", " ", ".", "..", "/", "../../etc/passwd", "/etc/passwd", "\x00", "\x1b[2J", "\ud800", "é", "0", "64x64", "true",
     "null", "=1+1", "<script>alert(1)</script>", "x" * 300, "12:30:00", "32GB", "gpu:2", "~", "simdr", "heatmap"]
)  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), NUMBERS, TEXTS, st.integers(-3, 300), st.floats(), st.text(CHARACTERS, max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(CHARACTERS, max_size=6), inner, max_size=4),
    max_leaves=5,
)
"""Whatever JSON can say, and NaN and infinity, which Python's writer says too."""

Place = tuple[Any, Any]
Change = Callable[[st.DrawFn, Any, Any, Sequence[Place], st.SearchStrategy[Any]], None]


def _places(node: Any) -> Iterator[Place]:
    """Each container of a document with each of its keys or positions."""
    for key in list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield node, key
        yield from _places(node[key])


def _replace(draw: st.DrawFn, node: Any, key: Any, _places: Sequence[Place], values: st.SearchStrategy[Any]) -> None:
    node[key] = copy.deepcopy(draw(values))  # which a later change may change in turn


def _delete(_draw: st.DrawFn, node: Any, key: Any, _places: Sequence[Place], _values: st.SearchStrategy[Any]) -> None:
    del node[key]


def _copy(draw: st.DrawFn, node: Any, key: Any, places: Sequence[Place], _values: st.SearchStrategy[Any]) -> None:
    """Put what stands elsewhere in the document here."""
    other, where = draw(st.sampled_from(places))
    node[key] = copy.deepcopy(other[where])


def _wrap(_draw: st.DrawFn, node: Any, key: Any, _places: Sequence[Place], _values: st.SearchStrategy[Any]) -> None:
    node[key] = [node[key]]


def _double(draw: st.DrawFn, node: Any, key: Any, _places: Sequence[Place], _values: st.SearchStrategy[Any]) -> None:
    """Add it once more: in a list behind itself, in a mapping under another name."""
    if isinstance(node, list):
        node.insert(key, copy.deepcopy(node[key]))
    else:
        node[draw(TEXTS | st.text(CHARACTERS, max_size=6))] = copy.deepcopy(node[key])


def _rename(draw: st.DrawFn, node: Any, key: Any, places: Sequence[Place], values: st.SearchStrategy[Any]) -> None:
    if isinstance(node, dict):
        _double(draw, node, key, places, values)
    del node[key]


def _nudge(draw: st.DrawFn, node: Any, key: Any, places: Sequence[Place], values: st.SearchStrategy[Any]) -> None:
    """A near value of the same type."""
    value = node[key]
    if isinstance(value, bool):
        node[key] = not value
    elif isinstance(value, int | float):
        node[key] = value + draw(st.sampled_from([1, -1, 0.5, 1000]))
    elif isinstance(value, str):
        node[key] = draw(garbled(value))
    else:
        _replace(draw, node, key, places, values)


CHANGES: tuple[Change, ...] = (_replace, _replace, _nudge, _nudge, _delete, _copy, _wrap, _double, _rename)


@st.composite
def mutated(draw: st.DrawFn, document: Any, values: st.SearchStrategy[Any] = VALUES) -> Any:
    """A copy of a document of dictionaries and lists, changed at some places; now and then any value instead."""
    changed = [copy.deepcopy(document)]
    for _ in range(draw(st.integers(0, MOST_CHANGES))):
        places = list(_places(changed))
        if not places:
            return draw(values)
        node, key = draw(st.sampled_from(range(len(places))).map(places.__getitem__))
        draw(st.sampled_from(CHANGES))(draw, node, key, places, values)
    return changed[0] if changed else draw(values)


@st.composite
def garbled(draw: st.DrawFn, text: str, pieces: st.SearchStrategy[str] = TEXTS) -> str:
    """A text with some of it cut out, doubled or replaced by other text."""
    for _ in range(draw(st.integers(0, MOST_CHANGES))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 12)))
        new = draw(st.just("") | st.just(2 * text[start:end]) | pieces | st.text(CHARACTERS, max_size=3))
        text = text[:start] + new + text[end:]
    return text


@st.composite
def damaged(draw: st.DrawFn, contents: bytes) -> bytes:
    """Bytes, some of them changed, cut off, cut out, doubled or added."""
    for _ in range(draw(st.integers(1, MOST_CHANGES))):
        start = draw(st.integers(0, len(contents)))
        end = draw(st.integers(start, min(len(contents), start + 16)))
        new = draw(st.binary(max_size=4) | st.just(2 * contents[start:end]) | st.just(b"\xff") | st.just(b"\x00" * 8))
        rest = b"" if draw(st.integers(0, 9)) == 0 else contents[end:]
        contents = contents[:start] + new + rest
    return contents


def broken(contents: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Mostly as they are; one in ten damaged on the way."""
    return st.integers(0, 9).flatmap(lambda dice: contents if dice else contents.flatmap(damaged))


def mutated_json(document: Any) -> st.SearchStrategy[bytes]:
    """A document changed at some places, as JSON; one in ten damaged as bytes."""
    return broken(mutated(document).map(lambda changed: json.dumps(changed).encode()))
