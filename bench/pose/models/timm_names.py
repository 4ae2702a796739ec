"""Names of timm's models, read from the source of the installed package: planning imports neither it nor torch."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import Any

from bench.pose.errors import BenchError, UnknownNameError

__all__ = ["PATTERN", "PREFIX", "check_name", "model_names", "require_timm", "timm"]

PREFIX = "timm/"
"""Comes before the name of a model, in the names of backbones."""

PATTERN = f"{PREFIX}NAME"
"""All backbones of timm, in lists of names."""

_MODEL = re.compile(r"^@register_model\s+def (\w+)\(", re.MULTILINE)
_WEIGHTS = re.compile(r"""^\s+['"](\w+\.\w+)['"]\s*:""", re.MULTILINE)


def require_timm(backbone: str) -> Path:
    """The folder of the package. Raises `BenchError` that says how to install it, if it is not."""
    place = importlib.util.find_spec("timm")  # runs nothing of it
    if place is None or place.origin is None:
        raise BenchError(f"{backbone} needs the package timm: pip install 'simdr-bench[timm]'")
    return Path(place.origin).parent


@cache
def check_name(backbone: str) -> None:
    """Raise `BenchError` if timm is not installed, and `UnknownNameError` if it has no such model.

    Args:
        backbone: "timm/" and a model's name, with or without the tag of its weights, for example
            "timm/resnet18.a1_in1k".
    """
    names = model_names(require_timm(backbone))
    model = backbone.removeprefix(PREFIX)
    if model not in names and not (model.partition(".")[0] in names and timm().is_model_pretrained(model)):
        described = f"{PATTERN} with a name of `timm.list_models()`, alone or with the tag of its weights"
        raise UnknownNameError("backbone", backbone, [f"{PREFIX}{name}" for name in names], described=described)


def timm() -> Any:
    """The package. It imports torch, and torchvision, which needs our help beside some builds of torch."""
    from bench.pose.torchvision_shim import torchvision_models

    torchvision_models()
    import timm as package

    return package


@cache
def model_names(package: Path) -> frozenset[str]:
    """Names of all models in timm's folder, alone and with the tags of weights that are written out there."""
    source = "".join(file.read_text(encoding="utf-8") for file in sorted(package.glob("models/*.py")))
    models = set(_MODEL.findall(source))
    return frozenset(models | {name for name in _WEIGHTS.findall(source) if name.partition(".")[0] in models})
