"""The types and the order of the columns of the results frame."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pandas as pd

from bench.pose.codecs.representation import codec_kinds
from bench.suite.specs import EvalSpec, TrainSpec, setting_type

TEXTS = ("row", "training", "training_kind", "evaluation", "state", "reason", "nobody_to_judge", "published_row",
         "elsewhere_row",         "scored_by", "commit", "package", "command", "device", "torch")  # fmt: skip
TYPES = dict.fromkeys(TEXTS, "str") | {
    "seed": "int64",
    "instances": "Int64",
    "images": "Int64",
    "images_left_out": "Int64",
    "training_images": "Int64",
    "training_images_left_out": "Int64",
    "epochs_done": "Int64",
    "distinct_instances": "Int64",
    "instances_seen": "Int64",
    "simulated": "bool",
    "dirty": "boolean",
}
"""Types of columns that are neither settings nor measured numbers; the latter are float64."""

SPEC_PARTS = ("training", "codec", "decoding")
"""Fields of specs that are no settings by themselves."""

COSTS = ("params", "multiply_adds", "published_convention")


def own_settings() -> tuple[str, ...]:
    """Settings that only some representations have, so that a frame may lack them."""
    fields = TrainSpec.model_fields.keys() | EvalSpec.model_fields.keys()
    return tuple(name for name in (*codec_kinds(), *codec_kinds(decoding=True)) if name not in fields)


def in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the settings of representations in the order of their declaration, whichever row came first."""
    own = [name for name in own_settings() if name in frame.columns]
    if not own:
        return frame
    names = list(frame.columns)
    place = min(map(names.index, own))
    others = [name for name in names if name not in own]
    return frame[[*others[:place], *own, *others[place:]]]


def column_type(frame: pd.DataFrame, name: str) -> str:
    """The type of a column of a results frame."""
    if name in TYPES:
        return TYPES[name]
    if name in COSTS:
        return "float64" if frame[name].isna().any() else "int64"
    annotation = column_annotation(name)
    if annotation is None:
        return "float64"
    types = _types(annotation)
    if bool in types:
        return "boolean" if NoneType in types else "bool"
    if float in types:
        return "float64"
    return ("Int64" if NoneType in types else "int64") if int in types else "str"


def column_annotation(name: str) -> Any:
    """The type of the setting that a column holds; None for other columns."""
    if name in TYPES or name in SPEC_PARTS:
        return None
    found = setting_type(name)
    return found | None if name in own_settings() else found


def _types(annotation: Any) -> set[type]:
    """The types of the values that an annotation allows."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _types(arguments[0])
    if origin is Literal:
        return set(map(type, arguments))
    if origin in (Union, UnionType):
        return set().union(*map(_types, arguments))
    return {annotation}
