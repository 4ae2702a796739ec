"""docs/representations.md names every setting, and its table is what the command prints."""

from pathlib import Path

import pytest

from bench.pose.codecs.representation import REPRESENTATIONS
from benchmarks.codec_errors import CASES, cell

PAGE = (Path(__file__).parents[2] / "docs" / "representations.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("label", CASES)
def test_errors(label: str) -> None:
    rows = [line.split("|") for line in PAGE.splitlines() if line.startswith(f"| {label} ")]
    assert cell(label, (64, 64)) in [row[2].strip() for row in rows]


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_every_setting_and_value_is_named(name: str) -> None:
    known = REPRESENTATIONS[name]
    for setting, kind in (known.settings | known.decoding).items():
        assert f"`{setting}`" in PAGE
        for value in () if isinstance(kind, str) else kind:
            assert f"`{value}`" in PAGE, f"{setting}: {value}"
