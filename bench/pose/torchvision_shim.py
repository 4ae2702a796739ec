"""Import torchvision's models beside any build of torch.

A torchvision wheel carries a compiled extension that may be built for another torch (a CUDA wheel next to a
CPU torch). The extension then fails to load, which torchvision tolerates, but its Python side still attaches
metadata to two of the extension's operators, and `import torchvision` raises "operator torchvision::nms does
not exist". Declaring the two operators beforehand is enough: nothing here calls them.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import torch

__all__ = ["torchvision_models"]

_OPERATORS = ("nms", "qnms")


@cache
def torchvision_models() -> ModuleType:
    """The module `torchvision.models`, whether or not torchvision's extension fits the installed torch.

    Raises:
        ModuleNotFoundError: torchvision is not installed.
    """
    if not _extension_loads():
        _declare_operators()
    import torchvision

    models: ModuleType = torchvision.models
    return models


def _extension_loads() -> bool:
    """Whether torchvision's `_C` extension exists and can be loaded into this process."""
    spec = find_spec("torchvision")  # locates the package without importing it
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("torchvision is not installed", name="torchvision")
    libraries = sorted(Path(spec.origin).parent.glob("_C*.so"))
    try:
        for library in libraries:
            torch.ops.load_library(library)
    except OSError:
        return False
    return bool(libraries)


@cache  # a declaration lasts only as long as its Library object; the cache keeps it
def _declare_operators() -> torch.library.Library:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in _OPERATORS:
        if not hasattr(torch.ops.torchvision, name):
            schema = f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            library.define(schema)
    return library
