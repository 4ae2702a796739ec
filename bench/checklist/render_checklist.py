"""A checklist as Markdown and as TeX. Data is escaped: no text can become markup or a command."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench.analysis.formatting import sentence
from bench.checklist.answers import STATUSES, Answer, Checklist
from bench.report import render_latex, render_markdown

HOW_TO_READ = (
    "Yes, partial and no say whether the records of bench hold what an item asks for; what they do not hold is named."
    " Items about the paper itself are yours to answer, and so is whether the paper prints what the records hold."
)

STATUS_TEXTS = {status: ": ".join(dict.fromkeys((status, words))) for status, words in STATUSES.items()}
"""The venue's word, and what it means here."""

MADE = "% Made by `bench checklist`."
"""The first line of a checklist in TeX."""


def as_markdown(checklist: Checklist) -> str:
    """The checklist as Markdown."""
    return "\n\n".join(_markdown(checklist)) + "\n"


def _markdown(checklist: Checklist) -> Iterator[str]:
    escape, venue = render_markdown.escape, checklist.venue
    yield f"# {escape(venue.title)}: {escape(checklist.suite)}"
    if checklist.mark:
        yield f"**{escape(checklist.mark)}**"
    yield f"{escape(checklist.counts)}. {escape(HOW_TO_READ)}"
    yield f"*Numbers and headings: {escape(venue.edition)}, <{venue.source}>.*"
    yield f"*Written by bench, {escape(checklist.code)}.*"
    yield "\n".join(f"- {escape(line)}" for line in checklist.progress)
    for section in venue.sections:
        if section.heading:
            yield f"## {escape(section.heading)}"
        for answer in checklist.answers:
            if answer.item in section.items:
                yield from _markdown_item(answer)


def _markdown_item(answer: Answer) -> Iterator[str]:
    escape, item = render_markdown.escape, answer.item
    yield f"### {escape(item.number)} {escape(item.heading)}"
    yield f"*Asks for {escape(item.asks)}.*"
    yield f"**{sentence(STATUS_TEXTS[answer.status])}**"
    if answer.facts:
        yield "\n".join(f"- {escape(text)}" for text in _texts(answer))
    yield f"Yours: {escape(item.yours)}."


def as_latex(checklist: Checklist) -> str:
    """The checklist as TeX, to \\input into a paper; it needs no package."""
    return "\n".join(_latex(checklist)) + "\n"


def is_checklist(file: Path) -> bool:
    """Whether a file is a checklist in TeX, or not there."""
    return not file.exists() or file.read_bytes().startswith(MADE.encode())


def _latex(checklist: Checklist) -> Iterator[str]:
    escape, venue = render_latex.escape, checklist.venue
    yield MADE
    yield rf"\section*{{{escape(venue.title)}}}"
    if checklist.mark:
        yield rf"\textbf{{{escape(checklist.mark)}}}\par"
    yield rf"{escape(HOW_TO_READ)} {escape(f'{checklist.suite}: {checklist.counts}.')}\par"
    yield from _latex_list([escape(line) for line in checklist.progress])
    for section in venue.sections:
        if section.heading:
            yield rf"\subsection*{{{escape(section.heading)}}}"
        for answer in checklist.answers:
            if answer.item in section.items:
                yield from _latex_item(answer)


def _latex_item(answer: Answer) -> Iterator[str]:
    escape, item = render_latex.escape, answer.item
    status = sentence(STATUS_TEXTS[answer.status])
    yield rf"\paragraph{{{escape(f'{item.number} {item.heading}')}}} \textbf{{{escape(status)}}}\par"
    yield from _latex_list([escape(text) for text in _texts(answer)])
    yield rf"Yours: {escape(item.yours)}.\par"


def _latex_list(lines: list[str]) -> Iterator[str]:
    if lines:
        yield r"\begin{itemize}"
        yield from (rf"\item {line}" for line in lines)
        yield r"\end{itemize}"


def _texts(answer: Answer) -> Iterator[str]:
    for fact in answer.facts:
        text = fact.text.removesuffix(".")
        yield text if fact.known else f"Not in the records: {text}"


RENDERERS: Mapping[str, Callable[[Checklist], str]] = {"md": as_markdown, "tex": as_latex}
"""By the ending of the file."""
