"""Reproducibility benchmark and ablation harness for SimDR keypoint representations.

`bench.load_results("results")` gives all results as a pandas DataFrame; docs/results.md shows what to do with it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.analysis.frame import (
        load_epochs,
        load_errors,
        load_keypoints,
        load_per_instance,
        load_results,
        load_thresholds,
    )

__all__ = ["load_epochs", "load_errors", "load_keypoints", "load_per_instance", "load_results", "load_thresholds"]

__version__ = "0.1.0"

DISTRIBUTION = "simdr-bench"
"""Name under which this package is installed."""


def __getattr__(name: str) -> Any:
    """Import the results API when it is asked for: commands need no pandas."""
    if name not in __all__:
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    from bench.analysis import frame

    return getattr(frame, name)
