"""In place of hotcoco, on machines that lack it: pycocotools, slower and the same to rounding. Put on the path by
`benchmarks/gpu/real.py`."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import coco, cocoeval


class COCO(coco.COCO):  # type: ignore[misc]  # untyped
    """Annotations from contents in memory, without prints. pycocotools makes one of no contents for results."""

    def __init__(self, contents: dict[str, Any] | None = None) -> None:
        super().__init__()
        if contents is not None:
            self.dataset = contents
            with _silence():
                self.createIndex()

    def load_res(self, results: Sequence[dict[str, Any]]) -> coco.COCO:
        """Results of the same images; the given ones stay as they are."""
        if not results:
            return COCO({**self.dataset, "annotations": []})
        with _silence():
            return self.loadRes([dict(result) for result in results])


class COCOeval(cocoeval.COCOeval):  # type: ignore[misc]  # untyped
    """The evaluation without prints."""

    def evaluate(self) -> None:
        """As pycocotools."""
        self.params.kpt_oks_sigmas = np.asarray(self.params.kpt_oks_sigmas)
        with _silence():
            super().evaluate()

    def accumulate(self, p: Any = None) -> None:
        """As pycocotools."""
        with _silence():
            super().accumulate(p)


def _silence() -> contextlib.AbstractContextManager[object]:
    return contextlib.redirect_stdout(io.StringIO())
