"""A backbone, a representation, a dataset and a metric for bench: importing this package adds them, without torch."""

from pose_extras import backbone, codec, dataset, metric

__all__ = ["backbone", "codec", "dataset", "metric"]
