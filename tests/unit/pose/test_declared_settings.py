"""Settings that representations and backbones declare for themselves."""

from __future__ import annotations

from typing import Any

import pytest

from bench.pose.codecs.representation import codec
from bench.pose.declared_settings import Settings, check_kinds, check_value
from bench.pose.errors import ExtensionError


@pytest.mark.parametrize("kind", [["a", "b"], "positiv", (), ("a", 1), 3])
def test_kinds_that_do_not_exist_are_refused(kind: Any) -> None:
    with pytest.raises(ExtensionError, match=r"'mine': setting 'wobble' is of kind .*or a tuple of names"):
        codec("mine", output="maps", settings={"wobble": kind})(object)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("positive", [0.5, 2], [0, -1.0, float("inf"), True, "2"]),
        ("fraction", [0, 0.5], [1, -0.1]),
        ("flag", [True, False], [1, "true"]),
        ("count", [1, 7], [0, 1.5]),
        ("odd", [1, 11], [10, 0]),
        (("a", "b"), ["a"], ["c", 1]),
    ],
)
def test_values_are_of_their_kind(kind: Any, good: list[Any], bad: list[Any]) -> None:
    check_kinds("a test", {"x": kind})
    assert [check_value("x", value, kind) for value in good] == good
    for value in bad:
        with pytest.raises(ValueError, match=r"x: .* is not valid"):
            check_value("x", value, kind)


def test_equal_settings_are_one_whatever_their_order() -> None:
    one, other = Settings({"b": 1, "a": 2.0}), Settings({"a": 2.0, "b": 1})
    assert one == other == {"a": 2.0, "b": 1}
    assert hash(one) == hash(other)
    assert str(one) == "a=2.0, b=1"
    assert str(Settings()) == "none"
