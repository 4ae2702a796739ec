"""`bench verify`: check a capsule and recompute its results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.options import AsJson, DataRoot, ExtensionModules
from bench.files import printable

if TYPE_CHECKING:
    from bench.capsule.verification import Verification


DIFFERS, NOT_RECOMPUTED = 1, 2


def verify(
    capsule: Annotated[Path, typer.Argument(help="Capsule of `bench export`.", show_default=False)],
    data_root: DataRoot = Path("data"),
    extensions: ExtensionModules = None,
    as_json: AsJson = False,
) -> None:
    """Check every hash of a capsule, and recompute each evaluation from its predictions, on a CPU.

    The annotations come from --data-root and must be the files named in the records. Code named by the capsule's suite
    never runs: name the extensions that its results need. Ends 0 when every number was reproduced, 1 when one differs,
    2 when one could not be recomputed and none differs, 3 for a capsule that is broken or was tampered with.
    """
    from bench.capsule.verification import verify as verify_capsule
    from bench.extensions import Extensions

    Extensions.of(extensions or ()).load()
    found = verify_capsule(capsule, data_root)
    if as_json:
        typer.echo(json.dumps(_document(found), indent=2))
    else:
        typer.echo(printable("\n".join(_lines(found))))
    verdicts = {cell.verdict for cell in found.cells}
    if "differs" in verdicts:
        raise typer.Exit(DIFFERS)
    if "not recomputed" in verdicts:
        raise typer.Exit(NOT_RECOMPUTED)


def _lines(found: Verification) -> Iterator[str]:
    from tabulate import tabulate

    from bench.store.provenance import CodeIdentity

    manifest = found.manifest
    if manifest.simulated:
        yield "SIMULATED: results in this capsule are made up; they cannot be recomputed"
    code = CodeIdentity(commit=manifest.commit, dirty=manifest.dirty, package=manifest.package).code
    only = f", only {' '.join(manifest.selection)}" if manifest.selection else ""
    given = f", with {' '.join(manifest.settings)}" if manifest.settings else ""
    yield f"suite {manifest.suite}{only}{given}; packed by bench {manifest.version}, {code}"
    rows = []
    for cell in found.cells:
        training, spec = cell.record.training, cell.record.spec
        refined = "" if spec.post_process == "none" else f", refined by {spec.post_process}"
        way = f"{spec.split}, {spec.boxes} boxes{refined}"
        rows.append((cell.record.id, training.title(), way, cell.verdict, "\n".join(cell.details)))
    yield tabulate(rows, headers=("evaluation", "network", "measured on", "verdict", ""), disable_numparse=True)
    verdicts = [cell.verdict for cell in found.cells]
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts))
    yield f"\n{len(verdicts)} evaluations: {counts}"
    yield _coverage(found)


def _coverage(found: Verification) -> str:
    if found.planned is None:
        return "its suite cannot be read by this version of bench: whether results are missing is unknown"
    if not found.absent:
        return f"these are all {found.planned} evaluations that its suite plans"
    return f"its suite plans {found.planned} evaluations in this version of bench; {found.absent} of them are not here"


def _document(found: Verification) -> dict[str, object]:
    cells = [{"id": cell.record.id, "verdict": cell.verdict, "details": cell.details} for cell in found.cells]
    packed = found.manifest.model_dump(include={"suite", "simulated", "version", "commit", "dirty", "package"})
    return packed | {"planned": found.planned, "absent": found.absent, "evaluations": cells}
