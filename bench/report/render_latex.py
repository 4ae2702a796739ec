"""Tables as LaTeX, to \\input into a paper that uses booktabs and graphicx.

Data is escaped: no text can become a command. Letters that plain pdflatex does not know are named by their code points.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from bench.report.document import Report
from bench.report.pictures import Picture
from bench.report.tables import Row, Stack, Table, TableCell

MOST_LINES = 48
"""Lines of a table on one page; a longer one is continued in another."""

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "`": "{`}", '"': "''",
    "–": "--", "—": "---", "−": "$-$", "±": r"$\pm$", "×": r"$\times$", "≈": r"$\approx$", "≠": r"$\neq$",
    "≤": r"$\leq$", "≥": r"$\geq$", "°": r"$^\circ$", "·": r"$\cdot$", "…": r"\ldots{}", "\N{NO-BREAK SPACE}": "~",
    "→": r"$\rightarrow$", "“": "``", "”": "''", "‘": "`", "’": "'",
}  # fmt: skip

ARGUMENTS = ("[", "*")
"""Beginnings of texts that the command before them would take for an argument."""

LIGATURES = re.compile(r"(?<=-)(?=-)|(?<=,)(?=,)|(?<=')(?=')")
"""Between two signs that would be printed as one."""

KNOWN = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿß")
"""Letters beyond ASCII that pdflatex knows by itself."""

AGREEMENTS = {"": "", "equivalent": r"~$\approx$", "different": r"~$\neq$", "undecided": "~?"}

PROSE, PROSE_ALONE = 0.6, 0.8
"""Width of all columns of prose together, as a part of the page's, and of one beside a single other column."""

FIT_WIDTH = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}"
FIT_HEIGHT = r"\resizebox*{!}{\ifdim\totalheight>0.8\textheight0.8\textheight\else\totalheight\fi}"
"""Commands that shrink what follows where it would not fit."""


def escape(text: str) -> str:
    """Text as LaTeX that prints exactly it, on one line."""
    line = " ".join(text.split())
    parts = ("".join(map(_escape_letter, part)) for part in LIGATURES.split(line))
    return ("{}" if line.startswith(ARGUMENTS) else "") + "{}".join(parts)


def render_table(report: Report, table: Table) -> str:
    """A table as one or, where it is long, several floats that need the packages booktabs and graphicx."""
    pages = list(_pages(table.rows, MOST_LINES // (2 if any(stack.below for stack in table.stacks) else 1)))
    lines = [
        f"% Suite {_comment(report.name)}, generated {_comment(report.generated)}.",
        r"% Needs \usepackage{booktabs} and \usepackage{graphicx}.",
    ]
    for number, rows in enumerate(pages):
        last = number == len(pages) - 1
        lines += _float(report, table, rows, number, last)
    return "\n".join(lines) + "\n"


def render_figure(report: Report, picture: Picture) -> str:
    """A figure as a float that shows the PDF beside it and needs the package graphicx.

    It spans both columns of a page that has two if it is wider than one of them.
    """
    float_ = "figure*" if picture.width > picture.venue.column else "figure"
    mark = f" ({report.mark})" if report.mark and not picture.images else ""
    return "\n".join(
        [
            f"% Suite {_comment(report.name)}, generated {_comment(report.generated)}.",
            r"% Needs \usepackage{graphicx}.",
            rf"\begin{{{float_}}}[tbp]",
            r"\centering",
            rf"{FIT_HEIGHT}{{{FIT_WIDTH}{{\includegraphics{{figures/{picture.name}.pdf}}}}}}",
            rf"\caption{{{escape(f'{picture.title}{mark}. {picture.caption}')}}}",
            rf"\label{{fig:{report.name}-{picture.name}}}",
            rf"\end{{{float_}}}",
            "",
        ]
    )


def _escape_letter(letter: str) -> str:
    if letter in SPECIAL:
        return SPECIAL[letter]
    known = letter in KNOWN or (letter.isascii() and letter.isprintable())
    return letter if known else f"(U+{ord(letter):04X})"


def _comment(text: str) -> str:
    return " ".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in text.split())


def _pages(rows: Sequence[Row], most: int) -> Iterator[Sequence[Row]]:
    """At most so many rows a page, which begin with a group or a part of one where that leaves none half empty."""
    start = 0
    while len(rows) - start > most:
        later = range(start + most, start + most // 2, -1)
        groups = [place for place in later if rows[place].opens_group]
        places = groups or [place for place in later if rows[place].opens_part]
        end = places[0] if places else start + most
        yield rows[start:end]
        start = end
    yield rows[start:]


def _float(report: Report, table: Table, rows: Sequence[Row], number: int, last: bool) -> Iterator[str]:
    stacks, marks = table.stacks, table.footnotes
    caption = [table.title, *(["(continued)"] if number else []), *([f"({report.mark})"] if report.mark else [])]
    yield r"\begin{table*}[p]"
    yield r"\centering"
    yield rf"\caption{{{escape(' '.join(caption))}}}"
    if not number:
        yield rf"\label{{tab:{table.id}}}"
    yield f"{FIT_HEIGHT}{{%"
    yield f"{FIT_WIDTH}{{%"
    yield rf"\begin{{tabular}}{{{''.join(_alignment(stack, stacks) for stack in stacks)}}}"
    yield r"\toprule"
    yield from _heading(table)
    yield r"\midrule"
    above = None
    for row in rows:
        yield from _row(row, stacks, marks, above)
        above = row
    yield r"\bottomrule"
    yield r"\end{tabular}}}"
    notes = [rf"\textsuperscript{{{mark}}}~{escape(note)}" for note, mark in marks.items()] if last else []
    notes += map(escape, table.remarks) if last else []
    if notes:
        yield r"\begin{flushleft}\scriptsize"
        yield "\\par\n".join(notes)
        yield r"\end{flushleft}"
    yield r"\end{table*}"


def _alignment(stack: Stack, stacks: Sequence[Stack]) -> str:
    """Columns of prose share the width that others usually leave."""
    if stack.column.prose:
        width = PROSE_ALONE if len(stacks) <= 2 else PROSE / sum(other.column.prose for other in stacks)
        return rf"p{{{width:.2g}\linewidth}}"
    return "r" if stack.column.numeric else "l"


def _heading(table: Table) -> Iterator[str]:
    """One line of headings, or two where columns stand in groups."""
    headings = table.headings
    if any(group for group, _ in headings):
        over, rules, place = [], [], 1
        for group, stacks in headings:
            width = len(stacks)
            over.append(rf"\multicolumn{{{width}}}{{c}}{{{escape(group)}}}" if group else "")
            rules += [rf"\cmidrule(lr){{{place}-{place + width - 1}}}"] if group else []
            place += width
        yield " & ".join(over) + r" \\"
        yield "".join(rules)
    yield " & ".join(escape(stack.column.under) for stack in table.stacks) + r" \\"
    yield from _lower_line([escape(table.subtitle(stack)) for stack in table.stacks])


def _row(row: Row, stacks: Sequence[Stack], marks: Mapping[str, str], above: Row | None) -> Iterator[str]:
    if above is not None and (row.opens_group or row.opens_part):
        yield r"\midrule" if row.opens_group else r"\addlinespace"
    cells = [_cell(row.cells[stack.top], marks) for stack in stacks]
    # As in the paper, what stands above already is not said again.
    if above is not None and not row.opens_group and row.cells[stacks[0].top].text == above.cells[stacks[0].top].text:
        cells[0] = ""
    yield " & ".join(cells) + r" \\"
    yield from _lower_line([" ".join(_cell(cell, marks) for cell in stack.under(row)) for stack in stacks])


def _lower_line(texts: Sequence[str]) -> Iterator[str]:
    """What stands under the line before, smaller; nothing where there is nothing."""
    if any(texts):
        yield " & ".join(rf"{{\scriptsize {text}}}" if text else "" for text in texts) + r" \\"


def _cell(cell: TableCell, marks: Mapping[str, str]) -> str:
    text = escape(cell.text)
    if text and cell.emphasis != "none":
        text = rf"\textbf{{{text}}}" if cell.emphasis == "best" else rf"\textit{{{text}}}"
    note = rf"\textsuperscript{{{marks[cell.note]}}}" if cell.note else ""
    return text + AGREEMENTS[cell.agreement] + note
