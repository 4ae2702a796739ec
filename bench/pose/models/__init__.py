"""Pose networks: backbones, heads, initialisation and their description.

Importing this package, or `bench.pose.models.spec`, does not import torch; `bench.pose.models.build` does.
"""

from bench.pose.codecs.representations import REPRESENTATIONS
from bench.pose.models.backbones import BACKBONES
from bench.pose.models.spec import INITIALISATIONS, Complexity, ModelSpec

__all__ = ["BACKBONES", "INITIALISATIONS", "REPRESENTATIONS", "Complexity", "ModelSpec"]
