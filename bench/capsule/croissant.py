"""A suite's dataset in Croissant: the annotation files that were read, their hashes and fields. It holds no data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from bench.capsule.gathering import Gathered
from bench.pose.data.datasets import DatasetInfo
from bench.pose.data.prepare import ARCHIVES, Archive

Entity = dict[str, Any]

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"

TERMS = (
    "citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty", "fileSet",
    "format", "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet",
    "references", "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField",
    "transform",
)  # fmt: skip
"""Croissant's own words, which its context must list."""

CONTEXT: Entity = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{term: f"cr:{term}" for term in TERMS},
}

FORMATS = {".json": "application/json", ".mat": "application/x-matlab-data"}

FIELDS: Mapping[str, Mapping[str, tuple[str, str, bool]]] = {
    "coco": {
        "image_id": ("$.annotations[*].image_id", "sc:Integer", False),
        "bbox": ("$.annotations[*].bbox", "sc:Float", True),
        "keypoints": ("$.annotations[*].keypoints", "sc:Float", True),
    },
    "mpii": {
        "image": ("$[*].image", "sc:Text", False),
        "center": ("$[*].center", "sc:Float", True),
        "scale": ("$[*].scale", "sc:Float", False),
        "joints": ("$[*].joints", "sc:Float", True),
    },
}
"""Fields of an instance by the form of the annotations: path, type, and whether there are several values."""


def make_croissant(gathered: Gathered) -> Entity | None:
    """The suite's dataset; None where no record names a file of it."""
    info = gathered.plan.suite.dataset.info
    files = _files(info, gathered)
    if not files:
        return None
    annotated = {path: split for path, (split, _) in files.items() if _lists_instances(info, path, split)}
    archives = {path: _archive_of(info, split) for path, split in annotated.items()}
    used = {found.download.name: found for found in archives.values() if found is not None}
    document: Entity = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": info.name,
        "description": f"{info.title}: instances with {info.skeleton.size} keypoints each. Described are the files of"
        " annotations and boxes that the results were made with, and no images.",
    }
    if info.source.startswith("http"):
        document["url"] = info.source
    if info.license_url:
        document["license"] = info.license_url
    described = [_file(path, digest, archives.get(path)) for path, (_, digest) in files.items()]
    return document | {
        "distribution": [*map(_archive, used.values()), *described],
        "recordSet": [_keypoints(info), *(_instances(info, path, split) for path, split in annotated.items())],
    }


def _files(info: DatasetInfo, gathered: Gathered) -> dict[str, tuple[str, str]]:
    """Split and hash of the dataset's files that records name, by path from the dataset's folder."""
    hashes = {pair for item in gathered.documents if not item.simulated for pair in item.provenance.files.items()}
    digests = dict(sorted(hashes))
    found = {}
    for split in sorted(_splits(gathered)):
        for file in info.split_files(Path(), split, boxes=True, truth=True):
            if file.name in digests:
                found[file.as_posix()] = (split, digests[file.name])
    return found


def _splits(gathered: Gathered) -> set[str]:
    trained = {training.spec.split for training in gathered.trainings.values()}
    chosen = {training.spec.selection_split for training in gathered.trainings.values()} - {None}
    return trained | {str(split) for split in chosen} | {record.spec.split for record in gathered.records.values()}


def _archive_of(info: DatasetInfo, split: str) -> Archive | None:
    """The public archive that holds a split's annotations."""
    return next((item for item in ARCHIVES.get(info.name, ()) if item.into == "." and split in item.splits), None)


def _archive(archive: Archive) -> Entity:
    kind, _, digest = (archive.download.checksum or "").partition(":")
    return {
        "@type": "cr:FileObject",
        "@id": archive.download.name,
        "name": archive.download.name,
        "contentUrl": archive.download.url,
        "encodingFormat": "application/zip",
        kind: digest,
    }


def _file(path: str, digest: str, archive: Archive | None) -> Entity:
    file: Entity = {
        "@type": "cr:FileObject",
        "@id": path,
        "name": PurePosixPath(path).name,
        "contentUrl": path,
        "encodingFormat": FORMATS.get(PurePosixPath(path).suffix, "application/octet-stream"),
        "sha256": digest,
    }
    return file if archive is None else file | {"containedIn": {"@id": archive.download.name}}


def _lists_instances(info: DatasetInfo, path: str, split: str) -> bool:
    layout = info.layout_of(split)
    return layout.annotated and path == layout.annotation_file(Path(), split).as_posix()


def _instances(info: DatasetInfo, path: str, split: str) -> Entity:
    return _record_set(
        f"instances-{split}",
        f"The instances of split {split}.",
        (
            {
                "name": name,
                "dataType": kind,
                "source": {"fileObject": {"@id": path}, "extract": {"jsonPath": json_path}},
            }
            | ({"repeated": True} if repeated else {})
            for name, (json_path, kind, repeated) in FIELDS["mpii" if info.protocol == "mpii" else "coco"].items()
        ),
    )


def _keypoints(info: DatasetInfo) -> Entity:
    names = _record_set(
        "keypoints",
        "Names of the keypoints in the order of the annotations.",
        [{"name": "name", "dataType": "sc:Text"}],
    )
    return names | {"data": [{"keypoints/name": name} for name in info.skeleton.keypoints]}


def _record_set(name: str, description: str, fields: Iterator[Entity] | list[Entity]) -> Entity:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": description,
        "field": [{"@type": "cr:Field", "@id": f"{name}/{field['name']}", **field} for field in fields],
    }
