"""Options for what a device-hour costs in money and energy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from bench.report.costs import Price

RateT = TypeVar("RateT")

PricePerHour = Annotated[
    str | None,
    typer.Option(
        metavar="AMOUNT",
        help="Price of a device-hour, such as 0.45 or 'EUR 0.45': it is stated what the results cost.",
    ),
]
Watts = Annotated[
    str | None,
    typer.Option(
        metavar="WATTS",
        help="Mean power of a device, such as 300: the energy of work whose power was not measured is estimated from"
        " it.",
    ),
]


def parse_price(text: str | None) -> Price | None:
    """The value of `PricePerHour`."""
    from bench.report.costs import Price

    return _parse(Price.parse, text, "--price-per-hour")


def parse_power(text: str | None) -> float | None:
    """The value of `Watts`, in W."""
    from bench.report.energy import parse_watts

    return _parse(parse_watts, text, "--watts")


def _parse(parse: Callable[[str], RateT], text: str | None, option: str) -> RateT | None:
    from bench.report.costs import PriceError

    try:
        return None if text is None else parse(text)
    except PriceError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
