"""YAML files that remember where everything stood, so that errors name file and line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

from bench.pose.errors import BenchError

MOST_BYTES = 2_000_000
MOST_VALUES = 100_000
"""Of one file: ten times a baseline of all that the paper measured with ten seeds."""

FORMER_KEYS = {
    "initialisation": "initialization",
    "joints": "keypoints",
    "half_body_min_joints": "half_body_min_keypoints",
}
"""Keys of suites written for earlier versions, which are still read, and their names now."""

Path_ = tuple[str | int, ...]
"""Keys and list positions that lead from the document to a value."""


@dataclass(frozen=True)
class Problem:
    """Something wrong at a place in a file."""

    path: Path_
    message: str


class SuiteError(BenchError):
    """A suite or another YAML file that cannot be used; the message has one `file:line: what` per problem."""


@dataclass(frozen=True)
class Source:
    """A parsed YAML file.

    Attributes:
        file: where it was read from.
        data: its contents.
        lines: line, from 1, of each mapping key and list item by its path.
    """

    file: Path
    data: Any
    lines: dict[Path_, int]

    def line(self, path: Path_) -> int:
        """Line of the value at `path`, or of the nearest enclosing one."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def error(self, problems: Sequence[Problem]) -> SuiteError:
        """All problems as one error, in the order of the file."""
        placed = sorted((self.line(problem.path), problem.message) for problem in problems)
        return SuiteError("\n".join(f"{self.file}:{line}: {message}" for line, message in placed))


class _Loader(yaml.SafeLoader):
    """The safe loader with the plain values of YAML 1.2's core schema, and errors that know their line.

    YAML 1.1, which PyYAML reads, takes 1e-3 for a text, 010 for 8, the time 12:30:00 for 45000 and `no` for false.
    """

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError) as error:
            kind = node.tag.rpartition(":")[2]
            raise ConstructorError(None, None, f"{node.value!r:.80} is no valid {kind}", node.start_mark) from error


def _integer(loader: yaml.SafeLoader, node: Any) -> int:
    text = str(loader.construct_scalar(node))
    return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)


def _float(loader: yaml.SafeLoader, node: Any) -> float:
    text = str(loader.construct_scalar(node))
    return float(text.replace(".", "") if text[-1:].isalpha() else text)


def _plain(kind: str, pattern: str, first: str) -> None:
    """Make plain scalars of this pattern and these first characters values of a kind."""
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(rf"(?:{pattern})\Z"), list(first))


_Loader.yaml_implicit_resolvers = {}  # in place of those of version 1.1
_plain("null", "~|null|Null|NULL|", "~nN")
_Loader.yaml_implicit_resolvers[""] = _Loader.yaml_implicit_resolvers["~"]  # an empty value is null
_plain("bool", "true|True|TRUE|false|False|FALSE", "tTfF")
_plain("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789")
_plain(
    "float",
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    "-+.0123456789",
)
_plain("merge", "<<", "<")
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)


class _Dumper(yaml.SafeDumper):
    """The safe dumper, which quotes every text that either version of YAML would read as something else."""


_OLD, _NEW = yaml.SafeDumper.yaml_implicit_resolvers, _Loader.yaml_implicit_resolvers
_Dumper.yaml_implicit_resolvers = {first: [*_OLD.get(first, []), *_NEW.get(first, [])] for first in {**_OLD, **_NEW}}


def dump_yaml(document: Any) -> str:
    """A document of plain values as YAML that `read_yaml` reads back."""
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120))


def read_scalar(text: str) -> Any:
    """The value of a text that YAML reads where it stands alone: 0.001 for 1e-3; the text itself if it is no other."""
    loader: Any = _Loader("")
    try:
        return loader.construct_object(yaml.ScalarNode(loader.resolve(yaml.ScalarNode, text, (True, False)), text))
    except yaml.YAMLError:
        return text


def read_value(text: str) -> Any:
    """Like `read_scalar`, but a text in brackets is a list, and one in braces a mapping."""
    if not text.lstrip().startswith(("[", "{")):
        return read_scalar(text)
    try:
        return _Loader(text).get_single_data()
    except (yaml.YAMLError, RecursionError):
        return text


def read_yaml(file: Path) -> Source:
    """Parse a YAML file with the safe loader.

    Raises:
        SuiteError: it cannot be read, is not YAML, repeats a key, or is larger than any such file, be it by aliases.
    """
    try:
        with file.open("rb") as stream:
            contents = stream.read(MOST_BYTES + 1)
        if len(contents) > MOST_BYTES:
            raise SuiteError(f"{file}: more than {MOST_BYTES:,} bytes, which no file of this kind has")
        text = contents.decode("utf-8")
    except OSError as error:
        raise SuiteError(f"{file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise SuiteError(f"{file}: not a text file ({error})") from error
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        lines: dict[Path_, int] = {}
        repeated: list[Problem] = []
        if node is not None:
            _note_lines(node, (), lines, repeated)
        data = loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        message = ", ".join(filter(None, (error.context, error.problem)))
        raise SuiteError(f"{file}:{mark.line + 1 if mark else 1}: {message}") from error
    except yaml.YAMLError as error:
        raise SuiteError(f"{file}: {error}") from error
    except RecursionError:
        raise SuiteError(f"{file}: nested too deeply, or an alias contains itself") from None
    source = Source(file, data, lines)
    if repeated:
        raise source.error(repeated)
    return source


def _note_lines(node: yaml.Node, path: Path_, lines: dict[Path_, int], repeated: list[Problem]) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if len(lines) > MOST_VALUES:
        # An alias is a value each time that it is used, as it is for whoever reads the data: a few lines can say a
        # billion of them.
        raise ComposerError(None, None, f"more than {MOST_VALUES:,} values, those of aliases included", node.start_mark)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                key.value = FORMER_KEYS.get(key.value, key.value)
            place = (*path, str(key.value))
            if place in lines:
                repeated.append(Problem(place, f"{key.value!r} is given twice in one mapping"))
            lines[place] = key.start_mark.line + 1
            _note_lines(value, place, lines, repeated)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            _note_lines(value, (*path, number), lines, repeated)
