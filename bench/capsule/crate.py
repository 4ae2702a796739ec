"""An RO-Crate of a capsule: every file, the software, and which command made which file.

Author and license of the results are the publisher's to add: they are absent, not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from bench.analysis.formatting import count_of
from bench.capsule.gathering import Gathered
from bench.capsule.manifest import CRATE, CROISSANT, MANIFEST, MODEL_INDEX, SUITE, Member
from bench.store.documents import Record, TrainingRecord
from bench.store.provenance import LAST, Provenance

Entity = dict[str, Any]

VERSION = "https://w3id.org/ro/crate/1.2"
MIT = "https://spdx.org/licenses/MIT"

FORMATS = {
    "json": "application/json", "yaml": "application/yaml", "npz": "application/zip", "md": "text/markdown",
    "html": "text/html", "pdf": "application/pdf", "csv": "text/csv", "tex": "application/x-tex", "png": "image/png",
    "svg": "image/svg+xml", "jpg": "image/jpeg",
}  # fmt: skip
"""Media types by ending."""

PURPOSES: Mapping[str, str] = {
    re.escape(SUITE): "the suite: the experiment as it was declared",
    re.escape(MANIFEST): "size and sha256 of every other file, and which evaluations are missing",
    re.escape(CROISSANT): "the dataset in Croissant",
    re.escape(MODEL_INDEX): "results of each training for its model card on Hugging Face",
    "trainings/.*/spec.json": "all settings of a training",
    "trainings/.*/training.json": "record of a training: curve, time, code, versions, hardware, data",
    "evaluations/.*/spec.json": "all settings of an evaluation",
    "evaluations/.*/record.json": "record of an evaluation: metrics, time, code, versions, hardware, data",
    "evaluations/.*/predictions.json": "predicted keypoints",
    "evaluations/.*/per_instance.npz": "result of each instance, from which intervals are computed",
    "evaluations/.*/variants.json": "evaluations of the same weights under other protocols",
    "evaluations/.*/error_budget.json": "the metric without errors of some kinds",
    "evaluations/.*/server.json": "score of the dataset's server",
    "report/.*": "part of the report",
}
"""What a file is for, by a pattern of its name."""


def make_crate(gathered: Gathered, members: Mapping[str, Member]) -> Entity:
    """The metadata document of a capsule with these other members."""
    suite, simulated = gathered.plan.suite, gathered.simulated
    actions = [*_actions(gathered)]
    files = [*(_file(name, member) for name, member in members.items()), _file(MANIFEST, None)]
    root: Entity = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"{'SIMULATED, nothing was measured: ' if simulated else ''}{suite.title}",
        "description": " ".join(
            filter(None, [suite.description.strip(), f"Results of suite {suite.name}: {_counts(gathered)}."])
        ),
        "datePublished": _time(max(_end(item) for item in gathered.documents))[:10],
        "hasPart": [_reference(file) for file in files],
        "mentions": [_reference(action) for action in actions],
    }
    descriptor: Entity = {"@id": CRATE, "@type": "CreativeWork", "conformsTo": {"@id": VERSION}, "about": {"@id": "./"}}
    entities = [descriptor, root, *files, *_software(gathered), *_dataset(gathered), *actions]
    once = {entity["@id"]: entity for entity in entities}
    return {"@context": f"{VERSION}/context", "@graph": list(once.values())}


def _counts(gathered: Gathered) -> str:
    missing = f", {len(gathered.missing)} missing" if gathered.missing else ""
    trained = count_of(len(gathered.trainings), "training")
    return f"{count_of(len(gathered.records), 'evaluation')} of {trained}{missing}"


def _file(name: str, member: Member | None) -> Entity:
    purpose = next((text for pattern, text in PURPOSES.items() if re.fullmatch(pattern, name)), "")
    file = {"@id": quote(name), "@type": "File", "name": name, "description": purpose}
    if form := FORMATS.get(name.rpartition(".")[2]):
        file["encodingFormat"] = form
    return file if member is None else file | {"contentSize": str(member.size), "sha256": member.sha256}


def _actions(gathered: Gathered) -> Iterator[Entity]:
    """What made each training and each evaluation."""
    for kind, documents in (("training", gathered.trainings), ("evaluation", gathered.records)):
        for id_, item in documents.items():
            files = [name for name in gathered.sources if name.startswith(f"{kind}s/{id_}/")]
            made = {"endTime": _time(_end(item))} if isinstance(item, Record) else {}
            inputs = [{"@id": SUITE}, {"@id": _dataset_id(gathered)}]
            if isinstance(item, Record):
                inputs.append({"@id": f"trainings/{item.spec.training}/training.json"})
            yield {
                "@id": f"#{kind}-{id_}",
                "@type": "CreateAction",
                "name": f"{'SIMULATED ' if item.simulated else ''}{kind} {id_}",
                "description": item.provenance.command,
                "startTime": _time(item.provenance.started),
                **made,
                "instrument": {"@id": _software_id(item.provenance)},
                "object": inputs,
                "result": [{"@id": name} for name in files],
            }


def _software(gathered: Gathered) -> Iterator[Entity]:
    """Each version of bench, with the packages that it ran with."""
    entities: dict[str, Entity] = {}
    for item in gathered.documents:
        origin = item.provenance
        packages = [_package(name, version) for name, version in origin.versions.items() if version != "not installed"]
        entities[_software_id(origin)] = {
            "@id": _software_id(origin),
            "@type": "SoftwareApplication",
            "name": "bench",
            "softwareVersion": origin.code,
            "license": {"@id": MIT},
            "softwareRequirements": [_reference(package) for package in packages],
        }
        entities |= {package["@id"]: package for package in packages}
    yield from entities.values()
    yield _license(MIT, "MIT")


def _software_id(origin: Provenance) -> str:
    """Equal for results of the same code, run with the same packages."""
    packages = "-".join(origin.versions.values())
    return f"#bench-{quote(f'{origin.short_code}-{packages}', safe='')}"


def _package(name: str, version: str) -> Entity:
    return {
        "@id": f"#package-{quote(f'{name}-{version}', safe='')}",
        "@type": "SoftwareApplication",
        "name": name,
        "softwareVersion": version,
    }


def _dataset_id(gathered: Gathered) -> str:
    return f"#dataset-{quote(gathered.plan.suite.dataset.name, safe='')}"


def _dataset(gathered: Gathered) -> Iterator[Entity]:
    info = gathered.plan.suite.dataset.info
    dataset: Entity = {"@id": _dataset_id(gathered), "@type": "Dataset", "name": info.title, "description": info.source}
    if info.source.startswith("http"):
        dataset["url"] = info.source
    if info.license:
        dataset["conditionsOfAccess"] = info.license
    if info.license_url:
        dataset["license"] = {"@id": info.license_url}
        yield _license(info.license_url, info.license)
    yield dataset


def _license(url: str, name: str) -> Entity:
    return {"@id": url, "@type": "CreativeWork", "name": name, "url": url}


def _end(item: TrainingRecord | Record) -> float:
    """When it was finished, or, where it was resumed, after that."""
    return item.provenance.started + item.seconds


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(int(min(seconds, LAST)), UTC).isoformat()


def _reference(entity: Entity) -> Entity:
    return {"@id": entity["@id"]}
