"""The dataset of a suite."""

from __future__ import annotations

from typing import Self

from pydantic import ValidationInfo, model_validator

from bench.files import STORED
from bench.pose.data.datasets import DATASETS, DatasetInfo
from bench.pose.errors import UnknownNameError
from bench.suite.definition import Definition
from bench.suite.source import Problem
from bench.suite.spec_values import Name, SpecPart
from bench.suite.structure import ContradictionError


class SuiteDataset(SpecPart):
    """A dataset and the splits that a suite uses of it.

    Attributes:
        name: of a known dataset, or of the one that is defined here; its folder under the data root is called so.
        train: split to train on.
        eval: split to measure on.
        define: the dataset, if it is the suite's own.
    """

    name: Name
    train: str
    eval: str
    define: Definition | None = None

    @model_validator(mode="after")
    def _check_name(self, info: ValidationInfo) -> Self:
        """Refuse unknown names without a definition and known ones with one."""
        try:
            check_dataset(self.name, self.define, info)
        except ValueError as error:
            raise ContradictionError([Problem(("name",), str(error))]) from None
        return self

    @property
    def info(self) -> DatasetInfo:
        """What is known of the dataset."""
        return describe_dataset(self.name, self.define)


def check_dataset(name: str, definition: Definition | None, info: ValidationInfo) -> None:
    """Raise `ValueError` unless a dataset is either registered or defined; stored ones may be neither by now."""
    if info.context is STORED:
        return
    if definition is None and name not in DATASETS:
        unknown = UnknownNameError("dataset", name, DATASETS)
        raise ValueError(f"{unknown}; a dataset of your own needs `define` in the suite's `dataset`")
    if definition is not None and name in DATASETS:
        raise ValueError(f"there is a dataset {name!r} already; give the one that is defined here another name")


def describe_dataset(name: str, definition: Definition | None) -> DatasetInfo:
    """What is known of a dataset. Raises `UnknownNameError` for one that is neither defined nor registered."""
    return DATASETS.named(name) if definition is None else definition.info(name)
