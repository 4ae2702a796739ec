"""A file of weights that networks start from: its names, addresses and checksum. Imports no torch."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bench.pose.data.download import Download
from bench.pose.errors import ExtensionError

__all__ = ["SUFFIXES", "WeightsFile", "declared_weights"]

SUFFIXES = (".safetensors", ".pth", ".pt")
"""Endings of files whose name is the backbone's."""

_CHECKSUM = re.compile("[0-9a-f]{8,64}")
_NAMED = re.compile(r"-([0-9a-f]{8,64})\.[a-z]+$")
"""The end of a file name that tells the file's checksum, as those of PyTorch's models do."""


@dataclass(frozen=True)
class WeightsFile:
    """A classifier's or a trunk's weights.

    Attributes:
        names: paths under the folder of ImageNet weights, of which the first that is there is taken.
        checksum: first hexadecimal digits of the file's sha256; None if it is not known beforehand.
        url: address; None if there is no stable one.
        package: module that contains the file, if an installed package does.
        inside: path in the package's folder.
        by_order: whether its entries have other names than the network's but their order.
        by_hand: what puts the file into the folder, where no command does.
    """

    names: tuple[str, ...]
    checksum: str | None = None
    url: str | None = None
    package: str | None = None
    inside: str = ""
    by_order: bool = False
    by_hand: str | None = None

    @classmethod
    def at(cls, url: str, checksum: str | None = None) -> WeightsFile:
        """The file at an address, whose name ends in its checksum unless that is given."""
        name = PurePosixPath(url).name
        return cls((name,), checksum or named_checksum(name), url)

    @property
    def download(self) -> Download | None:
        """Where it comes from, if it has an address."""
        return None if self.url is None else Download(self.url, None, f"sha256:{self.checksum}")

    def find(self, folder: Path) -> Path | None:
        """Where it lies: in the folder, or else in the installed package. None if in neither."""
        places = [folder / name for name in self.names]
        if self.package is not None:
            found = importlib.util.find_spec(self.package)
            places += [Path(place) / self.inside for place in found.submodule_search_locations or ()] if found else []
        return next((place for place in places if place.is_file()), None)


def named_checksum(name: str) -> str | None:
    """The checksum that a file's name tells; None if it tells none."""
    found = _NAMED.search(name)
    return found[1] if found else None


def declared_weights(owner: str, weights: str | Mapping[str, str]) -> WeightsFile:
    """The file that a decorator names.

    Args:
        owner: of the weights, for messages.
        weights: name of a file under the folder of ImageNet weights, or "url" and "sha256" (of which eight digits will
            do, and none are needed if the file's name ends in them).

    Raises:
        ExtensionError: they say something else, or no checksum.
    """
    given = {"file": weights} if isinstance(weights, str) else dict(weights)
    if len(given.keys() & {"file", "url"}) != 1 or not given.keys() <= {"file", "url", "sha256"}:
        raise ExtensionError(f"{owner}: weights are the name of a file, or its url and sha256, got {weights!r:.200}")
    place = given.get("url") or given["file"]
    name = PurePosixPath(place).name
    checksum = given.get("sha256") or named_checksum(name)
    if "url" in given and not place.startswith(("http://", "https://")):
        raise ExtensionError(f"{owner}: weights come from http or https, got {place!r:.200}")
    if (checksum is None and "url" in given) or (checksum is not None and not _CHECKSUM.fullmatch(checksum)):
        raise ExtensionError(f"{owner}: the weights at {place} need sha256, 8 to 64 hexadecimal digits in lower case")
    return WeightsFile((name,), checksum, given.get("url"))
