"""The built-in codecs and backbones as their decorators declare them, read without importing their files.

The files import torch, which planning and reporting do without. Their decorators have literal arguments, so that the
registries learn names, titles and settings from the source, and import a file when its class is needed.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.pose.errors import ExtensionError

__all__ = ["Deferred", "declarations"]


@dataclass(frozen=True)
class Deferred:
    """A function or class by name; calling it imports its module."""

    module: str
    name: str

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        """Call the function or class."""
        return getattr(importlib.import_module(self.module), self.name)(*arguments, **settings)


def declarations(folder: Path, package: str, decorator: str) -> Iterator[tuple[list[Any], Mapping[str, Any], Deferred]]:
    """Each use of a decorator in the files of a folder: positional arguments, keyword arguments, what it decorates.

    Args:
        folder: of the files.
        package: name of the package that the folder is.
        decorator: its name, as the files write it.

    Raises:
        ExtensionError: an argument is not a literal; the message names file and line.
    """
    for file in sorted(folder.glob("*.py")):
        source = file.read_text(encoding="utf-8")
        if f"\n@{decorator}(" not in source:
            continue
        for definition in ast.parse(source, str(file)).body:
            if isinstance(definition, ast.ClassDef | ast.FunctionDef):
                deferred = Deferred(f"{package}.{file.stem}", definition.name)
                for call in definition.decorator_list:
                    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == decorator:
                        yield (*_arguments(call, file), deferred)


def _arguments(call: ast.Call, file: Path) -> tuple[list[Any], dict[str, Any]]:
    try:
        named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
        return [ast.literal_eval(argument) for argument in call.args], named
    except ValueError:
        raise ExtensionError(
            f"{file}:{call.lineno}: the arguments of {ast.unparse(call.func)} must be literals, for example 'simdr' or"
            " (64, 64), because they are read without running the file"
        ) from None
