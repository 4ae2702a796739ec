"""Energy of finished work: measured where records hold power, else estimated from a declared power, else absent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bench.report.costs import HOUR, DeviceHours, PriceError, hours_text
from bench.store.documents import Record, TrainingRecord

KILO = 1000.0

POWER = re.compile(r"(?P<watts>\d{1,6}(?:\.\d{1,6})?)\s*W?")

ABSENT = "no power was measured, and none was declared (`--watts`)"


def parse_watts(text: str) -> float:
    """The power of a device in W, from a number above 0 such as "300" or "300 W". Raises `PriceError`."""
    found = POWER.fullmatch(text.strip())
    if found is None or not float(found["watts"]):
        raise PriceError(f"{text!r:.80} is not a power of a device; expected watts, a number above 0 such as 300")
    return float(found["watts"])


@dataclass(frozen=True)
class Energy:
    """Energy of all records that are not made up.

    Attributes:
        measured: in kWh, of trainings whose power was measured.
        measured_hours: their device-hours.
        other_hours: device-hours of everything else.
        watts: declared power of a device in W, from which the energy of everything else is estimated; None for none.
    """

    measured: float
    measured_hours: float
    other_hours: float
    watts: float | None = None

    @classmethod
    def of(
        cls, trainings: Mapping[str, TrainingRecord], records: Mapping[str, Record], watts: float | None = None
    ) -> Energy:
        """That of finished trainings and evaluations, given the power of a device that is declared."""
        metered = {id_: item for id_, item in trainings.items() if item.watts is not None}
        others = {id_: item for id_, item in trainings.items() if item.watts is None}
        used = sum(
            (item.watts or 0) * item.seconds * item.spec.world_size for item in metered.values() if not item.simulated
        )
        hours, other_hours = DeviceHours.of(metered, {}).total, DeviceHours.of(others, records).total
        return cls(used / HOUR / KILO, hours, other_hours, watts)

    @property
    def complete(self) -> bool:
        """Whether the energy of all work is known, measured or estimated."""
        return self.watts is not None or (self.measured_hours > 0 and not self.other_hours)

    def __str__(self) -> str:
        parts = []
        if self.measured_hours:
            parts.append(f"measured: {_energy_text(self.measured)} in {hours_text(self.measured_hours)} device-hours")
        if self.other_hours or not parts:
            hours = f"{hours_text(self.other_hours)} device-hours"
            parts.append(
                f"absent for {hours}: {ABSENT}"
                if self.watts is None
                else f"estimated: {_energy_text(self.other_hours * self.watts / KILO)}, {hours} at a declared"
                f" {self.watts:g} W per device"
            )
        return "; ".join(parts)


def _energy_text(kilowatt_hours: float) -> str:
    return f"{kilowatt_hours:,.1f} kWh" if kilowatt_hours >= 1 else f"{kilowatt_hours:.2g} kWh"
