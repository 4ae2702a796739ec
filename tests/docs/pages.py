"""The documentation as pages of blocks."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]

PAGES = sorted(
    file.relative_to(ROOT)
    for file in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "examples").glob("*.md"),
    )
    if file.is_file()
)
"""All pages that instances read, relative to the checkout."""

ELEMENT = re.compile(
    r"^ *<!-- test: (?P<directive>.*?) -->$|^ *```(?P<language>\w*)\n(?P<text>.*?)^ *```$", re.S | re.M
)


@dataclass(frozen=True)
class Directive:
    """How a block is tested: a kind, a file or page for some, and words to replace."""

    kind: str
    target: str
    replaced: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> Directive:
        kind, *words = shlex.split(text)
        pairs = [tuple(word.rsplit("=", 1)) for word in words if "=" in word]
        target = next((word for word in words if "=" not in word), "")
        return cls(kind, target, tuple(pairs))


@dataclass(frozen=True)
class Block:
    """A fenced block and the line, from 1, that it begins at."""

    line: int
    language: str
    text: str
    directive: Directive


@dataclass(frozen=True)
class Page:
    """A page's blocks in order, the edits that it begins with, and the page that it goes on from."""

    path: Path
    blocks: tuple[Block, ...]
    edits: tuple[Directive, ...]
    after: Path | None

    @classmethod
    def read(cls, path: Path) -> Page:
        text = (ROOT / path).read_text(encoding="utf-8")
        blocks, edits, after, waiting = [], [], None, None
        for match in ELEMENT.finditer(text):
            if match["directive"]:
                directive = Directive.parse(match["directive"])
                if directive.kind == "edit":
                    edits.append(directive)
                elif directive.kind == "after":
                    after = Path(directive.target)
                else:
                    waiting = directive
                continue
            line = text[: match.start()].count("\n") + 1
            blocks.append(Block(line, match["language"], dedent(match["text"]), waiting or Directive("run", "", ())))
            waiting = None
        return cls(path, tuple(blocks), tuple(edits), after)


def inline_commands(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each `bench ...` or `make ...` that stands between backquotes in running text."""
    text = ELEMENT.sub(lambda match: "\n" * match[0].count("\n"), (ROOT / path).read_text(encoding="utf-8"))
    for match in re.finditer(r"`((?:bench|make) [^`]+)`", text):
        yield text[: match.start()].count("\n") + 1, " ".join(match[1].replace("\\|", "|").split())
