"""A capsule as a plan and a store of its own, from which a report is made: without results folder, data or network."""

from __future__ import annotations

import contextlib
import io
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from bench.capsule.archive import MEBI, Capsule, open_capsule
from bench.capsule.contents import checked_records, per_instance_member, read_suite
from bench.capsule.manifest import SUITE
from bench.files import JsonDocument, sha256
from bench.planning.plan import Plan, make_plan, parse_selection
from bench.pose.errors import BenchError
from bench.store.documents import ErrorBudget, ServerScore, State, Variants
from bench.store.folders import Store
from bench.store.provenance import CodeIdentity

NOT_READ = "predictions.json"
"""The member of evaluations that reports do not need, by far the largest."""

DOCUMENTS: Mapping[str, type[JsonDocument]] = {
    "server.json": ServerScore,
    "variants.json": Variants,
    "error_budget.json": ErrorBudget,
}
"""Members of evaluations beside spec and record, which are checked before anything is unpacked."""

MOST_PER_INSTANCE = 1024 * MEBI
"""Largest size of the arrays of a file of per-instance results."""


@dataclass(frozen=True)
class UnpackedCapsule:
    """What reports are made of.

    Attributes:
        plan: of the capsule's suite, with the selection and settings that it was packed with.
        store: with the capsule's results.
        left_out: why planned evaluations have no result, by their ids.
        source: what the results are from, in words.
    """

    plan: Plan
    store: Store
    left_out: Mapping[str, str]
    source: str


@contextlib.contextmanager
def unpack(file: Path) -> Iterator[UnpackedCapsule]:
    """A capsule in a temporary folder. No code that its suite names is run: load what is needed of it before.

    Raises:
        CapsuleError: it is broken or was changed, see `bench.capsule.verification.verify`; its suite cannot be read by
            this version of bench, or plans none of its evaluations.
    """
    with open_capsule(file) as capsule, tempfile.TemporaryDirectory(prefix="bench-capsule-") as name:
        records = checked_records(capsule)
        folder = Path(name)
        for member in capsule.manifest.members:
            _write(capsule, member, folder)
        store = Store(folder)
        for record in records:
            own, shared = store.evaluation(record.id).per_instance, per_instance_member(capsule, record)
            if shared and not own.exists():
                own.write_bytes(capsule.contents(shared))
        plan = _plan(capsule, store, folder)
        planned = {evaluation.spec.id for training in plan.trainings for evaluation in training.evaluations}
        strangers = [record.id for record in records if record.id not in planned and record.outputs_of is None]
        if len(strangers) == len(records):
            raise capsule.problem(f"{SUITE} plans none of its {len(records)} evaluations in this version of bench")
        yield UnpackedCapsule(plan, store, _reasons(capsule), _source(file, capsule, len(strangers)))


def _write(capsule: Capsule, member: str, folder: Path) -> None:
    """Write a result into the folder; names of members cannot lead out of it, see `is_member`."""
    place = Path(member)
    if place.parts[0] not in {"trainings", "evaluations"} or place.name == NOT_READ:
        return
    if place.suffix == ".npz":
        _check_arrays(capsule, member)
    if (kind := DOCUMENTS.get(place.name)) is not None:
        capsule.document(member, kind)
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / place).write_bytes(capsule.contents(member))


def _check_arrays(capsule: Capsule, member: str) -> None:
    """Refuse arrays that expand without bound; broken ones cost their intervals only, as in a results folder."""
    with contextlib.suppress(zipfile.BadZipFile, ValueError, OSError):
        with zipfile.ZipFile(io.BytesIO(capsule.contents(member))) as archive:
            size = sum(info.file_size for info in archive.infolist())
        if size > MOST_PER_INSTANCE:
            raise capsule.problem(f"{member} unpacks to {size} bytes")


def _plan(capsule: Capsule, store: Store, folder: Path) -> Plan:
    if SUITE not in capsule:
        raise capsule.problem(f"{SUITE} is missing")
    try:
        suite = read_suite(capsule, folder)
        return make_plan(suite, store, parse_selection(capsule.manifest.selection, suite))
    except BenchError as error:
        raise capsule.problem(str(error).replace(f"{folder}/", "")) from error


def _reasons(capsule: Capsule) -> dict[str, str]:
    states = set(get_args(State)) - {"done"}
    return {
        id_: reason if reason.partition(":")[0] in states else f"missing: {reason}"
        for id_, reason in capsule.manifest.missing.items()
    }


def _source(file: Path, capsule: Capsule, strangers: int) -> str:
    manifest = capsule.manifest
    code = CodeIdentity(commit=manifest.commit, dirty=manifest.dirty, package=manifest.package).code
    more = (
        f" {strangers} of its evaluations are not shown: this version of bench does not plan them." if strangers else ""
    )
    return f"Capsule {file.name}, sha256 {sha256(file)}, packed by bench {manifest.version}, {code}.{more}"
