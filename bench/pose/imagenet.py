"""ImageNet weights of backbones: which files, where they lie, and how they get there. Imports no torch."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.pose.data.download import Download, Watch, fetch
from bench.pose.errors import CheckpointError, DataError

__all__ = [
    "IMAGENET",
    "IMAGENET_FILES",
    "ImageNetFile",
    "InitialWeights",
    "check_hash",
    "fetch_weights",
    "find_weights",
]

IMAGENET = "imagenet"
"""Folder under the data root for these files, and their name for `bench data prepare`."""


@dataclass(frozen=True)
class ImageNetFile:
    """A classifier's released weights; the name ends in the first digits of the file's sha256.

    Attributes:
        name: file name.
        url: address; None if the authors publish it without a stable address.
    """

    name: str
    url: str | None = None

    @property
    def hash_prefix(self) -> str:
        """First hexadecimal digits of the file's sha256."""
        return self.name.removesuffix(".pth").rpartition("-")[2]

    @property
    def download(self) -> Download | None:
        """Where it comes from, if it has an address."""
        return None if self.url is None else Download(self.url, None, f"sha256:{self.hash_prefix}")


def _torchvision_file(name: str) -> ImageNetFile:
    return ImageNetFile(name, f"https://download.pytorch.org/models/{name}")


IMAGENET_FILES: Mapping[str, ImageNetFile] = {
    "simba_res18": _torchvision_file("resnet18-5c106cde.pth"),
    "simba_res34": _torchvision_file("resnet34-333f7ec4.pth"),
    "simba_res50": _torchvision_file("resnet50-19c8e357.pth"),
    "simba_res50_upsample_free": _torchvision_file("resnet50-19c8e357.pth"),
    "simba_res101": _torchvision_file("resnet101-5d3b4d8f.pth"),
    "simba_res152": _torchvision_file("resnet152-b121ed2d.pth"),
    "hrnet_w32": ImageNetFile("hrnet_w32-36af842e.pth"),
    "hrnet_w48": ImageNetFile("hrnet_w48-8ef0771d.pth"),
}
"""ImageNet weights from which the reference starts each backbone."""


@dataclass(frozen=True)
class InitialWeights:
    """The file that a backbone starts from.

    Attributes:
        path: where it lies.
        there: whether it is there.
        remedy: what puts it there, a command or a sentence.
    """

    path: Path
    there: bool
    remedy: str


def find_weights(backbone: str, folder: Path) -> InitialWeights:
    """The ImageNet weights of a backbone in a folder, which is `DATA_ROOT/imagenet`.

    Raises:
        CheckpointError: there are none for this backbone.
    """
    if backbone not in IMAGENET_FILES:
        raise CheckpointError(f"there are no ImageNet weights for {backbone}; set `initialization: kaiming`")
    file = IMAGENET_FILES[backbone]
    path = folder / file.name
    by_hand = f"get {file.name} from the HRNet authors' model zoo and put it into {folder}"
    command = f"bench data prepare {IMAGENET} {backbone} --data-root {shlex.quote(str(folder.parent))}"
    return InitialWeights(path, path.is_file(), command if file.url else by_hand)


def fetch_weights(backbone: str, folder: Path, watch: Watch = lambda _done, _total: None) -> Path:
    """The file of a backbone's weights in a folder, downloaded if it is missing, and with the right checksum.

    Raises:
        CheckpointError: it cannot be had, or its checksum is wrong; the message says what to put where.
    """
    found = find_weights(backbone, folder)
    file, path = IMAGENET_FILES[backbone], found.path
    if not path.exists():
        if file.download is None:
            raise CheckpointError(f"{path} is missing: {found.remedy}")
        try:
            fetch(file.download, path, watch=watch)
        except DataError as error:
            raise CheckpointError(f"{error}; or put the file at {path}, or set `initialization: kaiming`") from error
    check_hash(path, file.hash_prefix)
    return path


def check_hash(path: Path, expected: str) -> None:
    """Raise `CheckpointError` for a file that cannot be read or whose sha256 does not begin with these digits."""
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from None
    if not digest.startswith(expected):
        raise CheckpointError(f"{path}: its sha256 is {digest}, expected {expected}; get the right file")
