"""The ImageNet classifiers from which backbones start, described without torch so that planning needs none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["IMAGENET_FILES", "IMAGENET_FOLDER", "ImageNetFile"]

IMAGENET_FOLDER = "imagenet"
"""Folder under the data root for the files."""


@dataclass(frozen=True)
class ImageNetFile:
    """A classifier's released weights; the name ends in the first digits of the file's sha256.

    Attributes:
        name: file name.
        url: address; None if the authors publish it without a stable address.
        size: in bytes; None where it is unknown.
    """

    name: str
    url: str | None = None
    size: int | None = None

    @property
    def hash_prefix(self) -> str:
        """First hexadecimal digits of the file's sha256."""
        return self.name.removesuffix(".pth").rpartition("-")[2]


def _torchvision_file(name: str, size: int) -> ImageNetFile:
    return ImageNetFile(name, f"https://download.pytorch.org/models/{name}", size)


IMAGENET_FILES: Mapping[str, ImageNetFile] = {
    "simba_res18": _torchvision_file("resnet18-5c106cde.pth", 46_827_520),
    "simba_res34": _torchvision_file("resnet34-333f7ec4.pth", 87_306_240),
    "simba_res50": _torchvision_file("resnet50-19c8e357.pth", 102_502_400),
    "simba_res50_upsample_free": _torchvision_file("resnet50-19c8e357.pth", 102_502_400),
    "simba_res101": _torchvision_file("resnet101-5d3b4d8f.pth", 178_728_960),
    "simba_res152": _torchvision_file("resnet152-b121ed2d.pth", 241_530_880),
    "hrnet_w32": ImageNetFile("hrnet_w32-36af842e.pth"),
    "hrnet_w48": ImageNetFile("hrnet_w48-8ef0771d.pth"),
}
"""ImageNet weights from which the reference starts each backbone."""
