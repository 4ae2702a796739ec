"""Whether the data here are those that the results were made with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.doctor.check import Check, Finding, fault, merged, skipped

if TYPE_CHECKING:
    from bench.pose.data.datasets import DatasetInfo

__all__ = ["RecordedData"]

FIX = "put the right file back (`bench show ID` tells its sha256), or keep results of other data in another folder"


class Use(NamedTuple):
    """A file of a split as a result names it."""

    data: DatasetInfo
    split: str
    name: str
    sha256: str


@dataclass(frozen=True)
class RecordedData:
    """A data root, and a folder of results that may have been made with its data."""

    data_root: Path
    results: Path

    def checks(self) -> list[Check]:
        """All that concern both."""
        return [Check("recorded data", self.unchanged, "have both folders made readable: see ls -l", seconds=900)]

    def unchanged(self) -> Finding:
        """Whether annotations and boxes still have the hashes that results name."""
        from bench.files import sha256

        named: dict[Path, set[str]] = {}
        for use in dict.fromkeys(self._uses()):
            for file in self._files(use):
                named.setdefault(file, set()).add(use.sha256)
        if not named:
            return skipped("no results that were made with data that are here")
        hashes = {file: sha256(file) for file in named}
        changed = (
            fault(f"{file} has sha256 {hashes[file]:.12}, but there are results made with {other:.12}", FIX)
            for file, others in named.items()
            for other in sorted(others - {hashes[file]})
        )
        return merged(changed, f"{len(named)} files are those that the results were made with")

    def _uses(self) -> Iterator[Use]:
        """By results that were measured. Those that cannot be read are another check's."""
        from bench.doctor.results import stored
        from bench.files import StoreError
        from bench.pose.errors import UnknownNameError
        from bench.store.documents import Record

        for folder in stored(self.results):
            with suppress(StoreError, UnknownNameError):  # an extension may be gone
                record = folder.record()
                if record is not None and not record.simulated:
                    training = record.training if isinstance(record, Record) else record.spec
                    for name, digest in record.provenance.files.items():
                        yield Use(training.data, record.spec.split, name, digest)

    def _files(self, use: Use) -> list[Path]:
        """Those of that name that are here."""
        from bench.pose.data.verify import expected_files

        opened = use.data.read(self.data_root / use.data.name, use.split)
        return [file for file in expected_files(use.data, opened) if file.name == use.name and file.is_file()]
