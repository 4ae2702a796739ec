"""Reproducibility benchmark and ablation harness for SimDR keypoint representations."""

__version__ = "0.1.0"
