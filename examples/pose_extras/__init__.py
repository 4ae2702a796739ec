"""One extension of each kind, one file each. Importing this package adds them."""

from pose_extras import backbone, codec, dataset, executor, logger, metric, report

__all__ = ["backbone", "codec", "dataset", "executor", "logger", "metric", "report"]
