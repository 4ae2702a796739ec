"""Arguments and options shared by several commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.devices import parse_device
from bench.pose.data.pixels.names import PixelSource

SuiteFile = Annotated[
    Path,
    typer.Argument(help="Suite file (YAML), or name of an installed suite; see `bench suites`.", show_default=False),
]
SuiteFiles = Annotated[
    list[Path], typer.Argument(help="Suite files (YAML), or names of installed suites.", show_default=False)
]
Results = Annotated[Path, typer.Option(help="Folder of trainings and records.")]
DataRoot = Annotated[Path, typer.Option(help="Folder with one folder per dataset.")]
OfSuite = Annotated[Path | None, typer.Option("--suite", help="Suite that defines the dataset or names its extension.")]
Only = Annotated[
    list[str] | None,
    typer.Option(metavar="AXIS=VALUE[,VALUE]", help="Only cells with one of these values; may be repeated."),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Value of a setting in every cell, such as epochs=2, boxes=gt, or eval=SPLIT, as if the suite had it; may"
        " be repeated.",
    ),
]
Subset = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Train and measure on the first N images of each split, by the hash of their names: a smoke test. Its"
        " results are marked and have ids of their own.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
ExtensionModules = Annotated[
    list[str] | None,
    typer.Option(
        "--extension",
        metavar="MODULE",
        help="Module of an extension, on Python's module path or in the current folder; may be repeated.",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        parser=parse_device,
        metavar="DEVICE",
        help="cpu, cuda for all GPUs, cuda:N or N for one of them, mps, or auto: a GPU if there is one.",
    ),
]
Threads = Annotated[int, typer.Option(min=0, help="Torch's threads per job; 0: share the cores.")]
Workers = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Processes that load crops, per job; default: none on CPUs, a share of the cores on GPUs, 8 at most.",
    ),
]
Pixels = Annotated[
    PixelSource,
    typer.Option(
        help="Source of the crops' pixels, which does not change them: image files (decoded), the output of `bench data"
        " pack` (packed), or that in GPU memory (gpu_cache); auto uses the fastest available one."
    ),
]
AllowLinks = Annotated[
    bool,
    typer.Option(
        "--allow-links",
        help="Read images that are links out of their folder, as of Hugging Face, DVC and git-annex. Only for datasets"
        " that you trust: such a link may lead to any image that you can read.",
    ),
]
CudaGraphs = Annotated[
    bool,
    typer.Option(
        "--cuda-graphs",
        help="On NVIDIA GPUs, record a training step and replay it, which takes less of the host; elsewhere nothing."
        " The first replays are compared with the step itself, to the bit; where they differ, the log says so and"
        " steps are run one by one.",
    ),
]
SaveEvery = Annotated[float, typer.Option(min=0, help="Seconds between checkpoints.")]
Pack = Annotated[int, typer.Option(min=1, help="Trainings that run at once on each device.")]
Loggers = Annotated[
    list[str] | None,
    typer.Option(
        "--logger",
        metavar="NAME",
        help="Show the trainings elsewhere while they run: tensorboard, wandb, mlflow, or a logger of an extension; may"
        " be repeated. Its faults cost no training.",
    ),
]
LogDir = Annotated[
    Path, typer.Option(metavar="DIR", help="Folder for what loggers write here, one for each in it by its name.")
]
CalibrationFile = Annotated[
    Path | None, typer.Option("--calibration", help="Output of `bench calibrate`; forecasts are for its hardware.")
]
