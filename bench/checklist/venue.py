"""The checklists of venues, one YAML file each."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from bench.pose.errors import UnknownNameError

_FOLDER = Path(__file__).parent / "venues"

VENUES = tuple(sorted(file.stem for file in _FOLDER.glob("*.yaml")))
"""Names of the venues that have a file."""

Text = Annotated[str, Field(min_length=1)]


class _VenuePart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class VenueItem(_VenuePart):
    """An item of a checklist.

    Attributes:
        number: the venue's, or that of its section.
        heading: the venue's, or ours where it has none.
        asks: what is asked for, in our words.
        facts: names of what the records say to it, if these facts are what the item asks for.
        helps: names of facts that help to answer an item which is the author's, since it is about the paper itself.
        yours: what is left to the author.
    """

    number: Text
    heading: Text
    asks: Text
    facts: Annotated[tuple[str, ...], Field(strict=False)] = ()
    helps: Annotated[tuple[str, ...], Field(strict=False)] = ()
    yours: Text


class VenueSection(_VenuePart):
    """Items under a heading of the venue; "" where it has none."""

    heading: str = ""
    items: Annotated[tuple[VenueItem, ...], Field(strict=False, min_length=1)]


class Venue(_VenuePart):
    """The checklist of a venue.

    Attributes:
        title: of the checklist.
        edition: whose numbers and headings these are.
        source: where it stands.
        also: formats that are written beside the one that was asked for.
        sections: its items.
    """

    title: Text
    edition: Text
    source: Text
    also: Annotated[tuple[Literal["md", "tex"], ...], Field(strict=False)] = ()
    sections: Annotated[tuple[VenueSection, ...], Field(strict=False, min_length=1)]

    @property
    def items(self) -> tuple[VenueItem, ...]:
        """All items in order."""
        return tuple(item for section in self.sections for item in section.items)


@cache
def load_venue(name: str) -> Venue:
    """The checklist of a venue, by name in any case. Raises `UnknownNameError`."""
    if name.lower() not in VENUES:
        raise UnknownNameError("venue", name, VENUES)
    return Venue.model_validate(yaml.safe_load((_FOLDER / f"{name.lower()}.yaml").read_text(encoding="utf-8")))
