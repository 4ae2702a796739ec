"""Pose networks: backbones, heads, initialization and their description.

One file per family of backbones holds a network class that registers itself by the decorator `backbone`. Importing this
package, `bench.pose.models.backbone` or `bench.pose.models.network` does not import torch; `bench.pose.models.build`
does.
"""
