"""How much was done for a verdict beside what the paper did: instances seen, data, backbone, input size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd

from bench.analysis.formatting import backbone_name
from bench.paper.published import TABLES, TRAININGS, WITHOUT_ROWS, published_rows
from bench.pose.data.datasets import DatasetInfo
from bench.suite.expansion import complete_cell
from bench.suite.recipe import load_recipe

ENOUGH = 0.5
"""The least part of the paper's instances seen at which a verdict speaks about the paper, see docs/statistics.md."""

NEARLY_ALL = 0.9
"""The least part of the paper's training instances, one by one, that counts as its data."""

MILLION = 1e6


@dataclass(frozen=True)
class TrainingLength:
    """Instances that a training of ours saw, and that the paper's saw."""

    seen: int
    paper: int

    @property
    def part(self) -> float:
        """Ours as a part of the paper's."""
        return self.seen / self.paper

    def __str__(self) -> str:
        return f"{count_text(self.seen)} of {count_text(self.paper)} ({percent_text(self.part)})"


@dataclass(frozen=True)
class Scale:
    """The scale of what was measured.

    Attributes:
        least: the training that saw the smallest part of what the paper's saw; None where that is not known.
        most: the one that saw the largest part, likewise.
        unknown: why it is not known.
        other: what is not the paper's, in words.
        same: what is, likewise.
        simulated: whether any number is made up.
    """

    least: TrainingLength | None
    most: TrainingLength | None
    unknown: str
    other: tuple[str, ...]
    same: tuple[str, ...]
    simulated: bool = False

    @property
    def toy(self) -> bool:
        """Whether it is known to be too small, or too different, to speak about the paper."""
        return self.simulated or bool(self.other) or (self.least is not None and self.least.part < ENOUGH)

    @property
    def known(self) -> bool:
        """Whether it is known how much the trainings saw."""
        return self.least is not None

    def __str__(self) -> str:
        seen = f"not known ({self.unknown})"
        if self.least is not None and self.most is not None:
            seen = " to ".join(dict.fromkeys((str(self.least), str(self.most))))
        parts = [
            "made-up numbers" if self.simulated else f"instances seen: {seen}",
            *self.other,
            f"as in the paper: {', '.join(self.same)}" if self.same else "",
        ]
        return "; ".join(filter(None, parts))


def scale_of(lines: pd.DataFrame, info: DatasetInfo) -> Scale | None:
    """The scale of finished evaluations, given their lines of the results frame; None where there are none.

    Args:
        lines: of the frame.
        info: their dataset.
    """
    if lines.empty:
        return None
    paper = info.name if info.name in TRAININGS else "mpii" if info.protocol == "mpii" else "coco"
    lengths = paper_lengths(paper)
    trainings = lines.drop_duplicates("training")
    unknown = _unknown(trainings)
    found = [
        TrainingLength(int(seen), lengths.get(backbone, min(lengths.values())))
        for seen, backbone in zip(trainings["instances_seen"], trainings["backbone"], strict=True)
        if not unknown
    ]
    backbones = [backbone_name(name) for name in lines["backbone"].unique() if name not in lengths]
    sizes = [size for size in lines["input_size"].unique() if size not in _sizes(paper)]
    other = {
        "data": "; ".join(_other_data(lines, info, paper)),
        "backbone": _other("backbone", backbones),
        "input size": _other("input size", sizes),
    }
    return Scale(
        least=min(found, key=lambda training: training.part, default=None),
        most=max(found, key=lambda training: training.part, default=None),
        unknown=unknown,
        other=tuple(filter(None, other.values())),
        same=tuple(name for name, words in other.items() if not words),
        simulated=bool(lines["simulated"].any()),
    )


@cache
def paper_lengths(dataset: str) -> Mapping[str, int]:
    """Instances that the paper's trainings see on one of its datasets, by backbone: its epochs times its instances."""
    data, rules = TRAININGS[dataset], load_recipe("paper").train
    rows = [row for row in published_rows() if TABLES[row.table].dataset == dataset]
    backbones = dict.fromkeys([*(row.backbone for row in rows), *WITHOUT_ROWS.get(dataset, ())])
    cell = {"dataset": dataset, "split": data.split, "representation": "heatmap", "input_size": rows[0].input_size}
    return {name: complete_cell(rules, cell | {"backbone": name})["epochs"] * data.instances for name in backbones}


def count_text(count: int) -> str:
    """A number of instances, millions with three digits."""
    return f"{count / MILLION:.3g} million" if count >= MILLION else f"{count:,}"


def percent_text(part: float) -> str:
    """A part in percent."""
    return f"{part:.0%}" if part >= 0.1 else f"{100 * part:.2g}%"


@cache
def _sizes(dataset: str) -> frozenset[str]:
    """Input sizes that the paper has on a dataset."""
    return frozenset(str(row.input_size) for row in published_rows() if TABLES[row.table].dataset == dataset)


def _unknown(trainings: pd.DataFrame) -> str:
    """Why it is not known how much some trainings saw; "" if it is."""
    if (trainings["initialization"] == "checkpoint").any():
        return "given weights, trained elsewhere"
    return "the records do not say" if trainings["instances_seen"].isna().any() else ""


def _other(what: str, names: Sequence[str]) -> str:
    return f"other {what}{'s' * (len(names) > 1)}: {', '.join(names)}" if names else ""


def _other_data(lines: pd.DataFrame, info: DatasetInfo, paper: str) -> Iterator[str]:
    """How the data differ from the paper's; nothing where they are the same."""
    distinct = lines["distinct_instances"].dropna()
    few, many = (distinct.min(), distinct.max()) if len(distinct) else (None, None)
    number = "" if few is None else f"{few:,} instances" if few == many else f"{few:,} to {many:,} instances"
    if info.name != paper:
        yield f"other data: {info.title}{f', {number}' if number else ''}"
        return
    data = TRAININGS[paper]
    measured = {table.split for table in TABLES.values() if table.dataset == paper}
    for verb, column, splits in (("trained", "split", {data.split}), ("measured", "evaluation_split", measured)):
        if others := sorted(set(lines[column]) - splits):
            yield f"other data: {verb} on {', '.join(others)}"
    if few is not None and few < NEARLY_ALL * data.instances:
        yield f"a part of the data: {number} of {data.instances:,}"
