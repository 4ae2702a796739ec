"""Device-hours of finished work, and what they cost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bench.pose.errors import BenchError
from bench.store.documents import Record, TrainingRecord

HOUR = 3600.0

PRICE = re.compile(r"(?P<before>[^\d\s.,+-]*)\s*(?P<amount>\d{1,12}(?:\.\d{1,12})?)\s*(?P<after>[^\d\s.,+-]*)")


class PriceError(BenchError):
    """A text that is not a price."""


@dataclass(frozen=True)
class Price:
    """The price of a device-hour.

    Attributes:
        amount: in units.
        unit: of money; "" for none.
    """

    amount: float
    unit: str = ""

    @classmethod
    def parse(cls, text: str) -> Price:
        """A price from a number, with a unit before or after it. Raises `PriceError`."""
        found = PRICE.fullmatch(text.strip())
        if found is None or (found["before"] and found["after"]):
            raise PriceError(f"{text!r:.80} is not a price; expected a number, such as 0.45, or EUR 0.45")
        return cls(float(found["amount"]), found["before"] or found["after"])

    def of(self, hours: float) -> str:
        """What some device-hours cost, in words."""
        return f"{self._text(f'{self.amount * hours:,.2f}')} at {self._text(f'{self.amount:g}')} per device-hour"

    def _text(self, number: str) -> str:
        return f"{self.unit} {number}" if self.unit else number


@dataclass(frozen=True)
class DeviceHours:
    """Wall hours times devices of finished work, each training counted once.

    Attributes:
        training: of trainings, without tries that failed.
        evaluation: of evaluations.
    """

    training: float
    evaluation: float

    @classmethod
    def of(cls, trainings: Mapping[str, TrainingRecord], records: Mapping[str, Record]) -> DeviceHours:
        """Those of all records that are not made up."""
        return cls(
            sum(item.seconds * item.spec.world_size for item in trainings.values() if not item.simulated) / HOUR,
            sum(item.seconds * item.training.world_size for item in records.values() if not item.simulated) / HOUR,
        )

    @property
    def total(self) -> float:
        """Of both."""
        return self.training + self.evaluation


def hours_text(hours: float) -> str:
    """Hours with two digits at least."""
    return f"{hours:,.1f}" if hours >= 10 or not hours else f"{hours:.2g}"
