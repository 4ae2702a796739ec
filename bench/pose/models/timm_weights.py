"""Where timm's published weights come from."""

from __future__ import annotations

import http
import os
import urllib.error
import urllib.request
from pathlib import PurePosixPath
from typing import Any

from bench.pose.data.download import TIMEOUT, Download, DownloadError
from bench.pose.errors import CheckpointError
from bench.pose.models.timm_names import PREFIX, timm
from bench.pose.models.weights_file import SUFFIXES, named_checksum

__all__ = ["timm_download"]

HUB = "https://huggingface.co"
"""Where most of them are; the environment's `HF_ENDPOINT` names a mirror."""

HUB_FILE = "model.safetensors"

HUB_CHECKSUM = "X-Linked-Etag"
"""Header by which the hub tells the sha256 of a large file."""


def timm_download(model: str) -> tuple[Download, str]:
    """The address and checksum of a model's weights, and the ending of a file name for them.

    Where timm names an address whose file name tells the checksum, that is it. Otherwise the hub is asked: its
    checksum tells that all bytes came as they are there, not that they are what they were when timm was released.

    Args:
        model: name in timm, with or without the tag of its weights.

    Raises:
        CheckpointError: there are none.
        DownloadError: the hub does not tell the checksum.
    """
    config = timm().get_pretrained_cfg(model)
    url = config.url if config is not None else None
    if url and named_checksum(PurePosixPath(url).name) and url.endswith(SUFFIXES):
        return Download(url, None, f"sha256:{named_checksum(PurePosixPath(url).name)}"), PurePosixPath(url).suffix
    if config is None or not config.hf_hub_id:
        raise CheckpointError(f"there are no ImageNet weights for {PREFIX}{model}; set `initialization: kaiming`")
    hub = os.environ.get("HF_ENDPOINT", HUB).rstrip("/")
    address = f"{hub}/{config.hf_hub_id}/resolve/main/{config.hf_hub_filename or HUB_FILE}"
    return Download(address, None, f"sha256:{_told_checksum(address)}"), PurePosixPath(address).suffix


def _told_checksum(address: str) -> str:
    """The sha256 that the hub tells of a file, before it sends one on to where the bytes are."""
    request = urllib.request.Request(address, method="HEAD")
    try:
        with urllib.request.build_opener(_Staying).open(request, timeout=TIMEOUT) as response:
            told = response.headers.get(HUB_CHECKSUM)
    except urllib.error.HTTPError as error:
        if error.code not in _ELSEWHERE:
            raise DownloadError(f"{address}: the server answers {error.code} {error.reason}") from error
        told = error.headers.get(HUB_CHECKSUM)
    except (OSError, http.client.HTTPException) as error:
        raise DownloadError(f"{address}: no connection ({getattr(error, 'reason', None) or error})") from error
    if not told:
        raise DownloadError(f"{address}: the server does not tell the file's checksum")
    return told.strip('"')


_ELSEWHERE = {301, 302, 303, 307, 308}


class _Staying(urllib.request.HTTPRedirectHandler):
    """Follows no redirection."""

    def redirect_request(self, *_arguments: Any) -> None:
        """None: the answer is an error of its code."""
