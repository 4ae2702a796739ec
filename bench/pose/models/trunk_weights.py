"""The start from ImageNet weights."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from bench.pose.checkpoints import read_weights
from bench.pose.errors import CheckpointError
from bench.pose.models.build import load_trunk
from bench.pose.models.heads import PoseModel
from bench.pose.models.weights import fetch_weights, file_of

__all__ = ["load_imagenet", "read_imagenet"]


def load_imagenet(model: PoseModel, backbone: str, folder: Path) -> tuple[str, str]:
    """Give a network the trunk of its backbone's ImageNet weights, and draw the rest, in place; see `load_trunk`.

    Args:
        model: network of the backbone.
        backbone: its name.
        folder: of ImageNet weights, `DATA_ROOT/imagenet`. What is missing there is downloaded, if it has an address.

    Returns:
        Name and sha256 of the file.

    Raises:
        CheckpointError: there are no weights, or they are not for this network; the message says which file to put
            where.
    """
    path, digest, weights = read_imagenet(backbone, folder)
    try:
        load_trunk(model, weights)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    return path.name, digest


def read_imagenet(backbone: str, folder: Path) -> tuple[Path, str, dict[str, Tensor]]:
    """The file of a backbone's ImageNet weights, its sha256, and its weights under the classifier's names.

    Raises:
        CheckpointError: see `load_imagenet`.
    """
    path, digest = fetch_weights(backbone, folder)
    weights = read_weights(path)
    return path, digest, _named_by_order(path, backbone, weights) if file_of(backbone).by_order else weights


def _named_by_order(path: Path, backbone: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    from bench.pose.models.timm_trunk import classifier_shapes

    wanted = classifier_shapes(backbone)
    if [value.shape for value in weights.values()] != list(wanted.values()):
        raise CheckpointError(f"{path}: its {len(weights)} entries do not have the shapes of {backbone}, in its order")
    return dict(zip(wanted, weights.values(), strict=True))
