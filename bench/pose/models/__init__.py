"""Pose networks: backbones, heads, initialization and their description.

Importing this package, or `bench.pose.models.spec`, does not import torch; `bench.pose.models.build` does.
"""

from bench.pose.codecs.representations import REPRESENTATIONS
from bench.pose.models.backbones import BACKBONES
from bench.pose.models.spec import INITIALIZATIONS, Complexity, ModelSpec

__all__ = ["BACKBONES", "INITIALIZATIONS", "REPRESENTATIONS", "Complexity", "ModelSpec"]
