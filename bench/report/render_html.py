"""A report as one HTML file that needs nothing else: style and script inside, pictures as data URIs.

Without its script everything but sorting, filtering and the dialogs of rows is there. The page may run this one script
and load nothing: its policy names their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from bench.report.document import Report
from bench.report.pictures import Picture
from bench.report.tables import AGREEMENT_MARKS, SHORT_ID, Column, Row, Table, TableCell
from bench.statistics.variances import LEVEL

TEMPLATE, STYLE, SCRIPT = "report.html.jinja", "report.css", "report.js"

ZOOM, IMAGES_ZOOM = 1.35, 1.7
"""Magnification of plots, whose letters are those of a printed page, and of images, whose letters are smaller."""

JPEG_QUALITY = 85

ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})
"""Escapes for JSON within HTML: no text in it can end the element that it stands in."""


def render_html(report: Report) -> str:
    """The whole report. The template escapes everything that it prints."""
    environment = Environment(
        loader=PackageLoader("bench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"data_uri": _data_uri, "distinct": _distinct, "width": _width}
    environment.globals |= {
        "agreement_marks": AGREEMENT_MARKS,
        "cell_class": _cell_class,
        "row_class": _row_class,
        "short_id": SHORT_ID,
    }
    style, script = _source(environment, STYLE), _source(environment, SCRIPT)
    return environment.get_template(TEMPLATE).render(
        report=report,
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        data=Markup(_json(_data(report))),
    )


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None, "templates come from the package"
    return environment.loader.get_source(environment, name)[0]


def _policy(style: str, script: str) -> str:
    """Content security policy under which this style and this script are all that may take effect."""
    return (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)};"
        " base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(ESCAPES)


def _data(report: Report) -> dict[str, Any]:
    """What the script shows of a row; provenance it takes from the page itself."""
    return {
        "mark": report.mark,
        "level": f"{LEVEL:.0%}",
        "rows": report.details,
        "logs": report.logs,
    }


def _data_uri(picture: Picture) -> str:
    """The picture within the page; images of a dataset as JPEG, which is a quarter as large."""
    contents = picture.png or b""
    if picture.images:
        stream = io.BytesIO()
        with Image.open(io.BytesIO(contents)) as image:
            image.save(stream, format="jpeg", quality=JPEG_QUALITY)
        contents = stream.getvalue()
    return f"data:image/{'jpeg' if picture.images else 'png'};base64,{base64.b64encode(contents).decode()}"


def _width(picture: Picture) -> int:
    """Width in CSS pixels at which a picture's letters are as large as the page's small print."""
    return round(picture.width * (IMAGES_ZOOM if picture.images else ZOOM) * 96)


def _distinct(table: Table, column: int) -> list[str]:
    """Texts of a column, each once, from top to bottom."""
    return list(dict.fromkeys(row.cells[column].text for row in table.rows))


def _cell_class(cell: TableCell, column: Column[Any]) -> str | None:
    kinds = ((cell.emphasis, cell.emphasis != "none"), ("numeric", column.numeric), ("prose", column.prose))
    return " ".join(name for name, holds in kinds if holds) or None


def _row_class(row: Row, above: str | None) -> str | None:
    """Where groups begin, and whether the row repeats the first cell of the one above it."""
    kinds = (("opens", row.opens_group), ("part", row.opens_part), ("again", row.cells[0].text == above))
    return " ".join(name for name, holds in kinds if holds) or None
