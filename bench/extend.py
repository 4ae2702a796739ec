"""Decorators that add a backbone, codec, dataset, metric, executor, report format or logger of your own.

Use them in a module that a suite names under `extensions`, or that an installed package names as an entry point of
the group `bench.extensions`. Built-in backbones and codecs use the same two. `python -m bench conform NAME` runs the
checks that the built-in entries pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from bench.execute.logger import logger
from bench.planning.executors import EXECUTORS, Executor, RunRequest
from bench.pose.codecs.representation import codec
from bench.pose.data.datasets import DATASETS, DatasetInfo
from bench.pose.data.layout import COCO_LAYOUT, Layout
from bench.pose.errors import ExtensionError
from bench.pose.machine import safe_children
from bench.pose.metrics.catalog import METRICS
from bench.pose.metrics.own import OWN_METRICS, OwnMetric, Results
from bench.pose.models.backbone import backbone
from bench.pose.skeletons import Skeleton

if TYPE_CHECKING:
    from bench.pose.scoring import Scoring

__all__ = ["backbone", "codec", "dataset", "executor", "logger", "metric", "report_format", "safe_children"]

DecoratedT = TypeVar("DecoratedT", bound=Callable[..., object])


def dataset(
    name: str,
    *,
    skeleton: Skeleton,
    title: str | None = None,
    source: str = "an extension",
    protocol: Literal["coco", "crowdpose", "mpii"] = "coco",
    layout: Layout = COCO_LAYOUT,
    detector_boxes: Iterable[tuple[str, str]] = (),
) -> Callable[[DecoratedT], DecoratedT]:
    """Add a function that puts a split's files into the dataset's folder, in the format of the protocol.

    It is called as `generate(folder, split)` before the split is opened, and has nothing to do where the files are
    there already. A dataset that is in COCO's format needs no function: a suite can define it.
    """

    def add(generate: DecoratedT) -> DecoratedT:
        def make(folder: Path, split: str) -> None:
            generate(folder, split)

        info = DatasetInfo(
            name, title or name, skeleton, source, protocol, layout, (), tuple(detector_boxes), generate=make
        )
        DATASETS.add(name, info, generate)
        return generate

    return add


def metric(
    name: str,
    *,
    title: str | None = None,
    protocols: Iterable[str] = ("coco", "crowdpose", "mpii"),
    noticeable: float = 0.005,
    lower_is_better: bool = False,
    percent: bool = False,
    decimals: int = 3,
) -> Callable[[Callable[[Results, Scoring], float | None]], Callable[[Results, Scoring], float | None]]:
    """Add a function that says what predictions are worth; see `OwnMetric`.

    With `percent`, values of 0..1 are printed times 100.

    Every evaluation on a fitting dataset has the metric from then on; records of earlier ones do not.
    """

    def add(compute: Callable[[Results, Scoring], float | None]) -> Callable[[Results, Scoring], float | None]:
        if name in METRICS:
            raise ExtensionError(f"{compute.__module__}: there is a metric {name!r} already; choose another name")
        entry = OwnMetric(
            title or name,
            compute,
            unit="%" if percent else "",
            scale=100 if percent else 1,
            decimals=decimals,
            noticeable=noticeable,
            lower_is_better=lower_is_better,
            protocols=tuple(protocols),
        )
        OWN_METRICS.add(name, entry, compute)
        return compute

    return add


def executor(
    name: str, *, profile: Literal["needed", "optional", "none"] = "optional", detached: bool = False
) -> Callable[[Callable[[RunRequest], int]], Callable[[RunRequest], int]]:
    """Add a function that has jobs done, see `Executor`; `bench run --executor NAME` calls it."""

    def add(run: Callable[[RunRequest], int]) -> Callable[[RunRequest], int]:
        EXECUTORS.add(name, Executor(run, profile, detached), run)
        return run

    return add


def report_format(name: str, *, pictures: bool = True, figures: bool = False) -> Callable[[DecoratedT], DecoratedT]:
    """Add a function that makes the files of a report.

    Args:
        name: of the format.
        pictures: whether it shows plots and images, which take a while to draw.
        figures: whether its files refer to `figures/*.png` beside them.

    Everything of a report may come from a stranger's files: escape it.
    """

    def add(render: DecoratedT) -> DecoratedT:
        from bench.report.formats import FORMATS, Format

        FORMATS.add(name, Format(render, pictures, ("png",) if figures else ()), render)  # type: ignore[arg-type]  # as documented
        return render

    return add
