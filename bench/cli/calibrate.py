"""`bench calibrate`: measures this machine with networks of several sizes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.devices import require_device
from bench.cli.options import Device, Results, Threads, Workers

if TYPE_CHECKING:
    from bench.planning.forecast.evidence import Calibration


def calibrate(
    results: Results = Path("results"),
    device: Device = "auto",
    threads: Threads = 0,
    workers: Workers = None,
    seconds: Annotated[
        float, typer.Option(min=1, help="Approximate time; with more, larger networks are measured.")
    ] = 60.0,
) -> None:
    """Measure training steps and predictions on this machine, for the forecasts of `bench plan` on such hardware.

    Nothing else should run meanwhile. Use the same threads and workers as in later runs.
    """
    from bench.files import write_json
    from bench.planning.forecast.calibration import calibrate as measure
    from bench.planning.forecast.evidence import calibration_file, job_hardware
    from bench.planning.jobs import LocalOptions

    require_device(device)
    used, share, loading = job_hardware(LocalOptions(device, threads, workers))
    command = f"python -m bench calibrate --device {device} --threads {threads} --workers {loading}"
    found = measure(device=used, threads=share, workers=loading, seconds=seconds, command=command)
    file = calibration_file(results, found.kind)
    write_json(file, found.model_dump(mode="json"))
    _print(found)
    typer.echo(f"\n{file}: measured in {found.seconds:.0f} s; `bench plan` forecasts with it")


def _print(calibration: Calibration) -> None:
    from tabulate import tabulate

    from bench.planning.forecast.prices import Prices
    from bench.planning.forecast.work import KINDS

    observations = [point.observation for point in calibration.points]
    prices = Prices(observations) if Prices.sufficient(observations) else None
    rows = [
        (
            point.backbone,
            point.representation,
            str(point.input_size),
            point.batch_size,
            f"{point.megapixels:.2f}",
            point.phase,
            f"{1e3 * point.seconds / point.instances:.2f}",
            f"{1e3 * prices.estimate('', item.work).seconds / point.instances:.2f}" if prices else "",
        )
        for point, item in zip(calibration.points, observations, strict=True)
    ]
    headers = ("backbone", "representation", "input", "batch", "megapixels", "phase", "ms per instance", "as priced")
    typer.echo(tabulate(rows, headers=headers, disable_numparse=True))
    if prices is None:
        typer.echo("too little was measured to determine the prices; increase --seconds")
    else:
        typer.echo("")
        for kind, price in zip(KINDS.values(), prices.values, strict=True):
            typer.echo(f"{1e3 * price:10.3f} ms for {kind}")
