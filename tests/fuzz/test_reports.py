"""Whatever stands in names and messages, a report's formats show it as text: their structure does not depend on it."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bench.report.render_latex import KNOWN, SPECIAL, escape
from bench.report.writer import write_report
from tests.fuzz.documents import ONE_CELL
from tests.fuzz.mutation import CHARACTERS
from tests.reports import Bench

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</script>",
    "&lt;b&gt;",
    "<!--",
    "]]>",
    "=HYPERLINK(1)",
    "+1",
    "@SUM(A1)",
    "-2",
    "\\input{/etc/passwd}",
    "\\end{document}",
    "$x^2$",
    "% end",
    "{",
    "}",
    "~^_#&",
    "**bold**",
    "[x](javascript:alert(1))",
    "![x](y)",
    "| a | b |",
    "`code`",
    "# heading",
    "1. one",
    "- item",
    "> quote",
    "---",
    '#eval("1")',
    '#read("/etc/passwd")',
    "@ref",
    "*x*",
    "_x_",
    "\ud800",
    "\x00",
    "\x1b[2J",
    "\u202e",
    "a\nb",
)
TEXTS = st.lists(st.sampled_from(HOSTILE) | st.text(CHARACTERS, min_size=1, max_size=12), min_size=6, max_size=6)
SIX = ["word"] * 6

HALVES = re.compile("[\ud800-\udfff]")
"""Of surrogate pairs, which suites cannot hold; records can."""

FORMATS = ["md", "html", "csv", "tex"]


def written(words: Sequence[str], formats: Sequence[str]) -> dict[str, bytes]:
    """The files of a report with these words wherever a stranger's text can stand; each behind a word of our own."""
    title, description, caption, says, *problems = (f"x{number}{word}" for number, word in enumerate(words))
    title, description, caption, says = (HALVES.sub("?", text) for text in (title, description, caption, says))
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patched:
        patched.setattr("bench.report.document.draw_pictures", lambda *_arguments, **_options: ((), ()))
        bench = Bench(Path(name))
        suite = yaml.safe_load(ONE_CELL) | {"title": title, "description": description}
        suite["tables"][0]["title"] = caption
        suite["claims"][0]["says"] = says
        text = yaml.safe_dump(suite)
        plan = bench.fill(text, lambda _training, _evaluation: {"AP": 0.5}, problems=problems)
        files = write_report([plan], bench.store, Path(name) / "reports", formats=formats)
        return {file.name: file.read_bytes() for file in files if file.suffix != ".png"}


class Tags(HTMLParser):
    """Elements, and the names of their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.names: set[str] = {"class"}  # which the length of a text may decide
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}


def elements(page: bytes) -> object:
    found = Tags(page.decode())
    return found.tags, found.names


def blocks(document: bytes) -> object:
    """Markup of a Markdown document, by kind; texts aside."""

    def kinds(tokens: Sequence[Token]) -> list[str]:
        listed = [token for token in tokens if token.type not in {"text", "text_special", "softbreak"}]
        return [kind for token in listed for kind in (token.type, *kinds(token.children or ()))]

    return kinds(MarkdownIt("commonmark").enable("table").parse(document.decode()))


def columns(table: bytes) -> object:
    rows = list(csv.reader(io.StringIO(table.decode())))
    assert not [cell for row in rows[1:] for cell in row if re.match(r" *[=@\t\r+]|-(?![\d.])", cell)]
    return [len(row) for row in rows]


def commands(document: bytes) -> object:
    """Environments and headings of a LaTeX document, and its comments."""
    return re.findall(r"\\(?:begin|end|section\*|input|includegraphics)\{[^}]*\}|(?m:^%)", document.decode())


STRUCTURES: dict[str, Callable[[bytes], object]] = {
    "report.html": elements, "report.md": blocks, "one.csv": columns, "one.tex": commands,
}  # fmt: skip


@pytest.fixture(scope="module")
def plain() -> dict[str, bytes]:
    return written(SIX, FORMATS)


def same_structure(found: dict[str, bytes], plain: dict[str, bytes]) -> None:
    for name, structure in STRUCTURES.items():
        assert structure(found[name]) == structure(plain[name]), name


def test_no_text_becomes_markup(plain: dict[str, bytes]) -> None:
    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    @given(TEXTS)
    def hold(words: list[str]) -> None:
        same_structure(written(words, FORMATS), plain)

    hold()


@given(st.sampled_from(HOSTILE) | st.text(CHARACTERS))
def test_latex_has_no_command_but_those_of_its_letters(text: str) -> None:
    left = escape(text)
    for replacement in sorted(SPECIAL.values(), key=len, reverse=True):
        left = left.replace(replacement, "") if len(replacement) > 1 else left
    assert not set(left.replace("{}", "")) & set("\\{}$&#%_^~<>|"), left
    assert all(letter in KNOWN or (letter.isascii() and letter.isprintable()) for letter in left)


def test_typst_compiles_whatever_it_is_given() -> None:
    for start in range(0, len(HOSTILE), 6):
        words = (*HOSTILE[start : start + 6], *SIX)[:6]
        (document,) = written(words, ["pdf"]).values()
        assert document.startswith(b"%PDF")
        assert b"/URI" not in document
        assert b"/JavaScript" not in document
