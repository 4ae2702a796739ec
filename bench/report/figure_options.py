"""What figures are written as: kinds of files, and widths and text sizes of our reports and of papers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

FigureKind = Literal["pdf", "svg", "png"]
"""Formats of the file of a figure."""


@dataclass(frozen=True)
class VenueStyle:
    r"""A page that figures fit without being scaled.

    Attributes:
        column: width of a column in inches, LaTeX's `\columnwidth`.
        page: width of the text in inches, LaTeX's `\textwidth`; that of the column where there is only one.
        font_size: of the text in figures, in points: the venue's `\footnotesize`.
    """

    column: float
    page: float
    font_size: float


REPORT = VenueStyle(3.4, 7.0, 7.5)
"""The pages of our own reports."""

# From the authors' kits: \columnwidth and \textwidth, and \footnotesize of a text of 10 points (ACL: 11 points).
# cvpr.sty: 6.875 in with a gap of 5/16 in. IEEEtran: 252 pt and 516 pt. llncs (ECCV): 122 mm. ACL: 7.7 cm and 16 cm.
# MLRC papers appear in TMLR.
VENUES: Mapping[str, VenueStyle] = {
    "aaai": VenueStyle(3.3, 6.975, 8),
    "acl": VenueStyle(3.03, 6.3, 9),
    "cvpr": VenueStyle(3.28125, 6.875, 8),
    "eccv": VenueStyle(4.8, 4.8, 8),
    "iccv": VenueStyle(3.28125, 6.875, 8),
    "iclr": VenueStyle(5.5, 5.5, 8),
    "icml": VenueStyle(3.25, 6.75, 8),
    "ieee": VenueStyle(3.487, 7.14, 8),
    "jmlr": VenueStyle(6.0, 6.0, 8),
    "mlrc": VenueStyle(6.5, 6.5, 8),
    "neurips": VenueStyle(5.5, 5.5, 8),
    "tmlr": VenueStyle(6.5, 6.5, 8),
    "wacv": VenueStyle(3.28125, 6.875, 8),
}
"""Venues by the names that `bench report --venue` takes."""
