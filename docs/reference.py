"""Writes docs/reference/ from the code: commands with their options, suites with their keys, files with their fields.

python docs/reference.py            write (`make reference`)
python docs/reference.py --check    end 1 if what is there is older than the code
"""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel, BeforeValidator
from pydantic_core import PydanticUndefined

from bench.cli import app
from bench.cli.exits import OWN_MEANINGS, Exit
from bench.compare.gate.baseline import Baseline
from bench.execute.checkpoint import Checkpoint
from bench.execute.job import Resources, Retries
from bench.execute.slurm.profile import Profile
from bench.pose.codecs.representation import REPRESENTATIONS, CodecSettings
from bench.pose.data.augmentation import Augmentation
from bench.pose.data.crops import CropSettings
from bench.pose.data.datasets import DATASETS
from bench.pose.declared_settings import Kind
from bench.pose.metrics.catalog import METRICS
from bench.pose.models.backbone import BACKBONES
from bench.pose.training import OptimizerConfig
from bench.pose.training_state import TrainingState
from bench.store.documents import (
    EpochEntry,
    ErrorBudget,
    Failure,
    JobProgress,
    LoggerWarnings,
    Record,
    ServerScore,
    StoredOutputs,
    TrainingRecord,
    Variant,
    Variants,
)
from bench.store.provenance import Provenance
from bench.suite.definition import Definition, SkeletonDefinition
from bench.suite.recipe import RECIPES
from bench.suite.schema import Suite, SuiteTable
from bench.suite.specs import EvalSpec, TrainSpec
from bench.suite.suite_dataset import SuiteDataset

FOLDER = Path(__file__).parent / "reference"
MADE = "<!-- Made by `make reference` from the code. Change the code, not this file. -->\n"


def main() -> None:
    """Write the pages, or say whether they are as old as the code."""
    pages = {"commands.md": commands(), "suite.md": suites(), "files.md": files()}
    stale = [name for name, text in pages.items() if not _current(FOLDER / name, text)]
    if "--check" in sys.argv[1:]:
        sys.exit(f"older than the code: {', '.join(stale)}; run `make reference`" if stale else 0)
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def _current(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == text


def commands() -> str:
    """Every command with its arguments and options, and what exit statuses mean."""
    lines = ["# Commands", "", MADE, "`bench` is `python -m bench` of the virtual environment.", ""]
    lines += ["## Exit statuses", "", "| Status | Meaning |", "|---|---|"]
    meanings = _constants_documented(Exit)
    lines += [f"| {status.value} | {meanings[status.name]} |" for status in Exit]
    lines += ["", "Where a command means more by one:", "", "| Command | Status | Meaning |", "|---|---|---|"]
    lines += [
        f"| `bench {command}` | {status} | {meaning} |"
        for command, own in OWN_MEANINGS.items()
        for status, meaning in own.items()
    ]
    for name, command in _commands(typer.main.get_command(app), ""):
        lines += ["", f"## bench {name}", "", _plain(command.help or ""), ""]
        lines += list(_parameters(command))
    return _page(lines)


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield name, command
        return
    for child in command.commands.values():
        yield from _commands(child, f"{name} {child.name}".strip())


def _parameters(command: Any) -> Iterator[str]:
    rows = []
    for parameter in command.params:
        if parameter.param_type_name == "option":
            flags = ", ".join([*parameter.opts, *parameter.secondary_opts])
            value = (
                ""
                if parameter.is_flag
                else f" {parameter.metavar or _value_word(parameter.type_descriptor.annotation)}"
            )
            default = "" if parameter.default in {None, False} or parameter.required else f"`{parameter.default}`"
            rows.append(
                (
                    f"`{flags}{value}`".replace("|", "\\|"),
                    "needed" if parameter.required else default,
                    parameter.help or "",
                )
            )
        else:
            needed = "needed" if parameter.required else ""
            rows.append(
                (f"`{(parameter.metavar or parameter.name).upper()}`", needed, getattr(parameter, "help", "") or "")
            )
    if rows:
        yield from ("| Argument | Default | |", "|---|---|---|")
        yield from (f"| {name} | {default} | {_cell(text)} |" for name, default, text in rows)


def _value_word(annotation: Any) -> str:
    """What stands for an option's value where it has no word of its own."""
    if get_origin(annotation) is Literal:
        return "|".join(map(str, get_args(annotation)))
    inner = [item for item in get_args(annotation) if item is not type(None)]
    plain = {Path: "PATH", int: "NUMBER", float: "NUMBER"}
    return _value_word(inner[0]) if inner else plain.get(annotation, "TEXT")


def suites() -> str:
    """The keys of a suite, of a recipe's cells, and of a SLURM profile."""
    lines = ["# Suites and profiles", "", MADE]
    lines += ["## A suite", "", "| Key | |", "|---|---|"]
    top = _attributes(Suite)
    shown = ("name", "title", "description", "extensions", "dataset", "weights", "recipe", "tables", "claims")
    grid = {
        "train.axes": "values of each axis, one or a list; every combination is a training. "
        "`backbone`, `representation` and `input_size` are needed; any other setting of trainings may be one",
        "train.set": "rules: settings, under a condition `when`; first to last, later ones win",
        "train.only": "conditions `when` of which each cell meets one, where not every combination is wanted",
        "train.exclude": "combinations to leave out: a condition `when` and a reason `because`",
        "train.recipe": f"{top['recipe'].rstrip('.')}: {' or '.join(RECIPES)}",
        "evaluate": "ways to measure each training: settings, of which a list of values multiplies, under a condition",
    }
    keys = {name: top[name] for name in shown if name != "recipe"} | grid
    lines += [f"| `{name}` | {_cell(text)} |" for name, text in keys.items()]
    lines += _table("dataset", SuiteDataset) + _table("dataset.define", Definition)
    lines += _table("dataset.define.skeleton", SkeletonDefinition) + _table("tables", SuiteTable)
    lines += [
        "",
        "## Settings of trainings",
        "",
        "What axes, rules and conditions may name; recipes give all a value.",
        "",
    ]
    lines += _fields(
        TrainSpec, {"dataset", "definition", "split", "codec"}, (Augmentation, OptimizerConfig, CropSettings)
    )
    lines += ["", "Settings of representations stand beside these; those of others are left out of a cell:", ""]
    lines += ["| Representation | Settings of trainings | Settings of evaluations |", "|---|---|---|"]
    lines += [
        f"| `{name}` | {_kinds(item.settings)} | {_kinds(item.decoding)} |" for name, item in REPRESENTATIONS.items()
    ]
    lines += ["", "## Settings of evaluations", ""]
    lines += _fields(EvalSpec, {"training", "decoding"}, (CodecSettings,))
    lines += ["", "## Names", "", "| | |", "|---|---|"]
    lines += [f"| backbones | {_names(BACKBONES.listed())} |", f"| representations | {_names(REPRESENTATIONS)} |"]
    lines += [f"| datasets | {_names(DATASETS)} |"]
    for protocol in dict.fromkeys(protocol for metric in METRICS.values() for protocol in metric.protocols):
        names = [name for name, metric in METRICS.items() if protocol in metric.protocols]
        lines.append(f"| metrics of `{protocol}` | {_names(names)} |")
    torso = [name for name, metric in METRICS.items() if metric.torso]
    lines.append(f"| only of skeletons with a `left_shoulder` and a `right_hip` | {_names(torso)} |")
    lines += _table("A SLURM profile", Profile) + _table("retries", Retries)
    return _page(lines)


def _kinds(kinds: Mapping[str, Kind]) -> str:
    """Settings with what values they have."""
    valid = ((name, kind if isinstance(kind, str) else ", ".join(kind)) for name, kind in kinds.items())
    return "; ".join(f"`{name}` ({values})" for name, values in valid)


def files() -> str:
    """The fields of everything that is stored."""
    lines = ["# Files", "", MADE]
    lines += ["Every file takes its name when it is complete. Unknown fields are refused.", ""]
    kinds: Mapping[str, type[BaseModel]] = {
        "trainings/ID/training.json": TrainingRecord,
        "its history": EpochEntry,
        "evaluations/ID/record.json": Record,
        "provenance of both": Provenance,
        "trainings/ID/progress.json": JobProgress,
        "trainings/ID/loggers.json": LoggerWarnings,
        "trainings/ID/failure.json, evaluations/ID/failure.json": Failure,
        "evaluations/ID/server.json": ServerScore,
        "evaluations/ID/outputs.json": StoredOutputs,
        "evaluations/ID/variants.json": Variants,
        "its variants": Variant,
        "evaluations/ID/error_budget.json": ErrorBudget,
        "resources of submissions/ID/jobs/TRAINING.json": Resources,
        "results/baselines/NAME.yaml": Baseline,
    }
    for title, kind in kinds.items():
        lines += _table(title, kind)
    for name, holds in {"trainings/ID/checkpoint.pt": Checkpoint, "its training": TrainingState}.items():
        lines += ["", f"## {name}", "", _plain(holds.__doc__ or ""), "", "| Field | |", "|---|---|"]
        lines += [f"| `{field}` | {_cell(_attributes(holds)[field])} |" for field in holds.__annotations__]
    return _page(lines)


def _table(title: str, kind: type[BaseModel]) -> list[str]:
    doc = _plain(kind.__doc__ or "").split("\n\n")[0]
    return ["", f"## {title}", "", doc, "", *_fields(kind, set(), ())]


def _fields(kind: type[BaseModel], left_out: set[str], also: tuple[type[Any], ...]) -> list[str]:
    known: dict[str, str] = {}
    for source in (*also, kind):
        known |= _attributes(source)
    lines = ["| Field | Value | |", "|---|---|---|"]
    for name, field in kind.model_fields.items():
        if name not in left_out:
            value = _type_words(_written(field.rebuild_annotation()))
            lines.append(f"| `{name}` | {_cell(value)} | {_cell(known.get(name, ''))} |")
    return lines


def _attributes(kind: type[Any]) -> dict[str, str]:
    """Descriptions of attributes in the docstrings of a class and its bases."""
    found: dict[str, str] = {}
    for base in reversed(getattr(kind, "__mro__", (kind,))):
        section = re.search(r"Attributes:\n(.*?)(?:\n\n|\Z)", cleandoc(base.__doc__ or ""), re.S)
        for entry in re.findall(r"^    (\w+): (.*?)(?=^    \w|\Z)", section[1] if section else "", re.S | re.M):
            found[entry[0]] = " ".join(entry[1].split())
    return found


def _constants_documented(kind: type[Any]) -> dict[str, str]:
    """Descriptions of the members of an enumeration, from the strings under them."""
    import inspect

    text = inspect.getsource(kind)
    return {
        name: " ".join(words.split()) for name, words in re.findall(r'    (\w+) = [^\n]*\n    """(.*?)"""', text, re.S)
    }


WORDS = {str: "text", float: "number", int: "whole number", bool: "true or false", Path: "path", Any: "anything"}


def _written(annotation: Any) -> Any:
    """The type that a file gives, where its reader says that it is another than the field's."""
    readers = [item for item in get_args(annotation) if isinstance(item, BeforeValidator)]
    given = [item.json_schema_input_type for item in readers if item.json_schema_input_type is not PydanticUndefined]
    return given[0] if given else annotation


def _type_words(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is None:
        plain = isinstance(annotation, type) and not is_dataclass(annotation)
        return WORDS.get(annotation, annotation.__name__ if plain else "see the code")
    if origin is Annotated:
        limits = [_limit(item) for extra in arguments[1:] for item in (getattr(extra, "metadata", None) or [extra])]
        return " ".join([_type_words(arguments[0]), *filter(None, limits)])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in {Union, types.UnionType}:
        return " or ".join("nothing" if item is type(None) else _type_words(item) for item in arguments)
    if issubclass(origin, Mapping):
        return f"{_type_words(arguments[1])} by name"
    inner = [item for item in arguments if item is not Ellipsis]
    return f"list of {_type_words(inner[0])}" if len(set(inner)) == 1 else " and ".join(map(_type_words, inner))


def _limit(item: Any) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    return " ".join(f"{sign} {getattr(item, name):g}" for name, sign in signs.items() if hasattr(item, name))


def _names(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _plain(doc: str) -> str:
    return "\n".join(line.rstrip() for line in cleandoc(doc).split("\nAttributes:")[0].splitlines()).strip()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def _page(lines: list[str]) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


if __name__ == "__main__":
    main()
