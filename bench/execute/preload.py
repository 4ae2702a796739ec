"""Imported once by the server that job processes are forked from: all that takes seconds to import."""

import bench.execute.runner  # noqa: F401
from bench.pose.torchvision_shim import torchvision_models

torchvision_models()
