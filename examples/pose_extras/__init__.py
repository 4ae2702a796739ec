"""A thing of each kind that bench can be extended by. Importing this package adds them, and imports no torch."""

from pose_extras import backbone, codec, dataset, executor, metric, report

__all__ = ["backbone", "codec", "dataset", "executor", "metric", "report"]
