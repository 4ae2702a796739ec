"""Slow imports, done once by the fork server of job processes."""

import bench.execute.runner  # noqa: F401
from bench.pose.torchvision_shim import torchvision_models

torchvision_models()
