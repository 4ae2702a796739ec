"""The fast ways of reading untrusted files say the same as the slow ones."""

from __future__ import annotations

import gc
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.pose.data.coco_columns import without_outlines
from bench.pose.data.reading import are_numbers, is_number, parse_json, path_inside, paths_outside, read_json
from bench.pose.errors import DataError

FILE = Path("annotations.json")

scalar = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(10**400)
number_text = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,40})?([eE][-+]?[0-9]{1,3})?", fullmatch=True)


@given(st.lists(scalar, max_size=5))
@example([math.nan, 1.0])
@example([1.0, math.nan, 10**400])
@example([math.inf, -math.inf])
@example([True, 1.0])
@example([1e9 - 1, 1e9 - 1])
@example([-1e9])
def test_numbers_are_told_together_as_one_by_one(values: list[Any]) -> None:
    assert are_numbers(values) == all(map(is_number, values))
    assert are_numbers(values, 2**63) == all(is_number(value, 2**63) for value in values)


@settings(max_examples=50)
@given(st.lists(number_text), st.recursive(scalar, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_is_parsed_as_python_does(numbers: list[str], value: Any) -> None:
    for text in (f"[{', '.join(numbers)}]", json.dumps(value), json.dumps(value, ensure_ascii=False)):
        data = text.encode("utf-8", "surrogatepass")
        assert repr(parse_json(data, FILE)) == repr(json.loads(data)), "floats to the bit, and int and float apart"


@pytest.mark.parametrize("data", [b'\xef\xbb\xbf{"a": 1}', '{"a": "é"}'.encode("utf-16"), b'{"a": "\\ud800"}'])
def test_what_only_python_takes_for_json_is_taken(data: bytes) -> None:
    assert parse_json(data, FILE) == json.loads(data)


@pytest.mark.parametrize("data", [b"[1,", b"", b"[1] x", b"\xff\xfe\xff", b"[" * 100_000, b"[" + b"1" * 5000 + b"]"])
def test_errors_are_those_of_python(data: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)) as expected:
        json.loads(data)
    with pytest.raises(DataError) as found:
        parse_json(data, FILE)
    assert str(found.value) == f"annotations.json: not valid JSON ({expected.value})"
    assert gc.isenabled()


OUTLINES = [
    '{"annotations": [{"segmentation": [[1, 2.5], [-3e-1, 4]], "id": 1}, {"id": 2, "segmentation" : [ ] }]}',
    '{"annotations": [{"segmentation": {"counts": [1, 2], "size": [3, 4]}, "id": 1}]}',
    '{"a": ["segmentation", [1]], "text": "\\"segmentation\\": [1]", "segmentation": [1]}',
    '[{"segmentation": [[1]]}, [{"segmentation": []}]]',
]


@pytest.mark.parametrize("text", OUTLINES)
def test_outlines_alone_are_dropped(text: str) -> None:
    def emptied(value: dict[str, Any]) -> dict[str, Any]:
        outline = value.get("segmentation")
        return value | ({"segmentation": 0} if isinstance(outline, list) else {})

    assert json.loads(without_outlines(text.encode())) == json.loads(text, object_hook=emptied)


@pytest.mark.parametrize("outline", ["[1,,2]", "[1 2]", "[1] , [2]", "[1-]", "[[1]"])
def test_an_outline_that_is_no_json_is_not_dropped(outline: str) -> None:
    text = f'{{"segmentation": {outline}, "id": 1}}'.encode()
    with pytest.raises(ValueError, match="at line 1"):
        without_outlines(text)


def test_files_are_found_inside_their_folder_together_as_one_by_one(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    (folder / "part" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    for file in (folder / "1.jpg", folder / "part" / "2.jpg", tmp_path / "elsewhere" / "3.jpg"):
        file.touch()
    (folder / "out.jpg").symlink_to(tmp_path / "elsewhere" / "3.jpg")
    (folder / "in.jpg").symlink_to("part/2.jpg")
    (folder / "nowhere.jpg").symlink_to("gone.jpg")
    (folder / "away").symlink_to(tmp_path / "elsewhere")
    (folder / "near").symlink_to("part")
    names = [
        *("1.jpg", "part/2.jpg", "./1.jpg", "part/../1.jpg", "part/deep/../2.jpg", "missing.jpg", "part/missing.jpg"),
        *("out.jpg", "in.jpg", "nowhere.jpg", "away/3.jpg", "away/missing.jpg", "near/2.jpg", "near/missing.jpg"),
        *("../elsewhere/3.jpg", "../images/1.jpg", "..", ".", "part", "part/", "/etc/passwd", str(folder / "1.jpg")),
        *("no/such/folder.jpg", "away/../1.jpg", "1.jpg/x"),
    ]
    for allow_links in (False, True):
        expected = {}
        for position, name in enumerate(names):
            try:
                path_inside(folder, name, allow_links=allow_links)
            except DataError as error:
                expected[position] = str(error)
        assert paths_outside(folder, names, allow_links=allow_links) == expected
        assert len(expected) >= 3


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.json: no such file"):
        read_json(tmp_path / "gone.json")
