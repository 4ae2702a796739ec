"""Facts about where numbers come from: code, commands, versions, settings, data, licenses."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench import DISTRIBUTION
from bench.analysis.formatting import DASH, count_of, data_name, explain_left_out, listing, setting_name, setting_text
from bench.analysis.rows import as_records
from bench.checklist.checklist_data import ChecklistData, Fact
from bench.checklist.facts_of_results import MOST_LISTED, NOTHING_FINISHED
from bench.pose.data.left_out import summarize
from bench.pose.data.prepare import ARCHIVES
from bench.store.provenance import SHORT

Facts = Iterator[Fact]

OSI = "License :: OSI Approved :: "

OWN = (DISTRIBUTION, "bench")
"""Names of this package in records, older ones included."""

MODELS = (".pth", ".pt", ".safetensors", ".bin")
"""Endings of files of weights among the files that a record names."""


def code(evidence: ChecklistData) -> Facts:
    """The code that made the records."""
    documents = list(evidence.documents())
    for identity in dict.fromkeys(item.provenance.code for item in documents):
        yield Fact(f"bench, {identity}")
    if any(item.provenance.commit is None for item in documents):
        yield Fact("the commit of some records: they were made outside a checkout of bench", known=False)
    if any(item.provenance.dirty for item in documents):
        yield Fact("the uncommitted changes that some records were made with", known=False)
    for name, digest in sorted({pair for item in documents for pair in item.provenance.extensions.items()}):
        yield Fact(f"extension {name}, sha256 {digest[:SHORT]}…")
    if not documents:
        yield Fact(NOTHING_FINISHED, known=False)


def commands(evidence: ChecklistData) -> Facts:
    """The command that makes all results again, and those that made them."""
    yield Fact(f"the whole suite: bench run {evidence.plan.suite.file.name}{_settings_given(evidence)}")
    made = list(dict.fromkeys(item.provenance.command for item in evidence.documents() if item.provenance.command))
    yield from (Fact(f"recorded: {command}") for command in made[:MOST_LISTED])
    if len(made) > MOST_LISTED:
        yield Fact(f"{len(made) - MOST_LISTED} more commands, one in each record.json")
    if not made:
        yield Fact("the commands of single results", known=False)


def _settings_given(evidence: ChecklistData) -> str:
    return "".join(f" --set {setting}" for setting in evidence.plan.suite.settings)


def software(evidence: ChecklistData) -> Facts:
    """Packages with their versions."""
    versions: dict[str, dict[str, None]] = {}
    for item in evidence.documents():
        for name, version in item.provenance.versions.items():
            versions.setdefault(name, {})[version] = None
    if versions:
        texts = [f"{name} {' and '.join(found)}" for name, found in versions.items() if [*found] != ["not installed"]]
        yield Fact(f"versions: {', '.join(texts)}")
    else:
        yield Fact("versions of packages", known=False)


def settings(evidence: ChecklistData) -> Facts:
    """Every setting of trainings and evaluations, equal ones once."""
    trainings = [training.spec.settings for training in evidence.plan.trainings]
    measured = [item.spec.settings for training in evidence.plan.trainings for item in training.evaluations]
    yield from _values("trainings", trainings)
    yield from _values("evaluations", measured)


def _values(of: str, settings: Sequence[Mapping[str, Any]]) -> Facts:
    names = dict.fromkeys(name for item in settings for name in item if name != "definition")
    values = {name: dict.fromkeys(setting_text(item.get(name)) for item in settings) for name in names}
    equal = [
        f"{setting_name(name)} {next(iter(found))}"
        for name, found in values.items()
        if len(found) == 1 and DASH not in found
    ]
    if equal:
        yield Fact(f"the same in all {of}: {'; '.join(equal)}")
    for name, found in values.items():
        if len(found) > 1:
            where = f"of {of}" if DASH not in found else f"of {of} that have it"
            yield Fact(f"{setting_name(name)} {where}: {'; '.join(value for value in found if value != DASH)}")


def search(evidence: ChecklistData) -> Facts:
    """How settings were chosen."""
    axes = {name: values for name, values in evidence.plan.suite.axes.items() if len(values) > 1 and name != "seed"}
    for name, values in axes.items():
        yield Fact(f"compared in this suite: {setting_name(name)} {', '.join(map(setting_text, values))}")
    held = {training.spec.held_out for training in evidence.plan.trainings} - {None}
    if held:
        numbers = listing([str(number) for number in held])
        yield Fact(f"{numbers} images of the training split were held out to choose settings on")
    yield Fact("how the other settings were chosen, and how many values of them were tried", known=False)


def splits(evidence: ChecklistData) -> Facts:
    """Splits, how many images and instances, and by what weights are chosen."""
    info, frame = evidence.plan.suite.dataset.info, evidence.results.frame
    done = frame[frame["state"] == "done"]
    for column, counted, use in (
        ("split", ("training_images", "distinct_instances"), "trained on"),
        ("evaluation_split", ("images", "instances"), "measured on"),
    ):
        for split in frame[column].unique():
            part = done[done[column] == split]
            counts = [
                f"{part[name].max():,} {words}"
                for name, words in zip(counted, ("images", "instances"), strict=True)
                if part[name].notna().any()
            ]
            yield Fact(f"{use} {data_name(info, str(split))}{f': {listing(counts)}' if counts else ''}")
            if len(part) and not counts:
                yield Fact(f"how many images and instances {split} has", known=False)
    chosen = {(item.spec.selection, item.spec.selection_split) for item in evidence.plan.trainings}
    for selection, split in sorted(chosen, key=str):
        yield Fact(f"weights kept: {selection}{f' epoch by {split}' if split else ' epoch'}")
    yield from (Fact(note) for note in evidence.plan.subsets)


def left_out(evidence: ChecklistData) -> Facts:
    """What was left out of the data."""
    documents = list(evidence.documents())
    lines = as_records(evidence.results.frame.filter(regex="images"))
    problems = summarize(problem for item in documents for problem in item.problems)
    found = [*dict.fromkeys(filter(None, map(explain_left_out, lines))), *problems]
    yield from map(Fact, found or ["of what was read, nothing was left out"] * bool(documents))
    if not documents:
        yield Fact(NOTHING_FINISHED, known=False)


def data(evidence: ChecklistData) -> Facts:
    """Where the data comes from, and the files that were read."""
    info = evidence.plan.suite.dataset.info
    yield Fact(f"{info.title}: {info.source}")
    addresses = [archive.download.url for archive in ARCHIVES.get(info.name, ())]
    if addresses:
        yield Fact(f"archives: {listing(addresses)}")
    files = _files(evidence)
    yield from (Fact(f"{name}, sha256 {digest[:SHORT]}…") for name, digest in files)
    if not files:
        yield Fact("hashes of the files that were read", known=False)


def _files(evidence: ChecklistData) -> list[tuple[str, str]]:
    """Names and hashes of all files that records name."""
    return sorted({pair for item in evidence.documents() for pair in item.provenance.files.items()})


def licenses(evidence: ChecklistData) -> Facts:
    """Licenses of data, weights and code."""
    info = evidence.plan.suite.dataset.info
    if info.license:
        yield Fact(f"{info.title}: {info.license}")
    else:
        yield Fact(f"the license of {info.title} (see {info.source})", known=False)
    yield from (Fact(f"the license of the weights {name}", known=False) for name in _weights(evidence))
    yield from _packages(evidence)


def _weights(evidence: ChecklistData) -> list[str]:
    """Files of weights that trainings started from."""
    read = [name for name, _ in _files(evidence) if name.endswith(MODELS)]
    specs = [training.spec for training in evidence.plan.trainings]
    given = dict.fromkeys(f"with sha256 {spec.weights[:SHORT]}…" for spec in specs if spec.weights is not None)
    return [*read, *given]


def _packages(evidence: ChecklistData) -> Facts:
    """Licenses of bench and of the packages of records, as those that are installed here in the same version state."""
    used = {pair for item in evidence.documents() for pair in item.provenance.versions.items()}
    found = {name: _license(name, version) for name, version in sorted(used) if name not in OWN}
    stated = [f"{name} {license}" for name, license in found.items() if license]
    yield Fact(f"bench: {_license(DISTRIBUTION) or 'see its file LICENSE'}")
    if stated:
        yield Fact(f"packages, as they state it: {', '.join(stated)}")
    unknown = [name for name, license in found.items() if not license]
    if unknown:
        yield Fact(f"licenses of {listing(unknown)}: none is stated by what is installed here", known=False)


def _license(package: str, version: str | None = None) -> str:
    """What an installed package states as its license, of that version if one is given; "" where it states none."""
    if package == "python":
        return "PSF-2.0"
    try:
        metadata = importlib.metadata.metadata(package).json
    except importlib.metadata.PackageNotFoundError:
        return ""
    if version is not None and str(metadata["version"]).partition("+")[0] != version.partition("+")[0]:
        return ""
    classified = [line.removeprefix(OSI) for line in metadata.get("classifier", ()) if line.startswith(OSI)]
    text = str(metadata.get("license_expression") or ", ".join(classified) or metadata.get("license") or "")
    return text if len(text.splitlines()) == 1 else ""


def new_assets(evidence: ChecklistData) -> Facts:
    """What the suite adds: a dataset that it defines, and weights."""
    dataset = evidence.plan.suite.dataset
    if dataset.define is not None:
        yield Fact(
            f"the suite defines the dataset {dataset.info.title}: its keypoints and files stand in the suite, and"
            " `bench export` describes it in croissant.json"
        )
        yield Fact(f"where {dataset.info.title} can be had, under which license, and how it was collected", known=False)
    else:
        yield Fact(f"no new dataset: {dataset.info.title} is used as it is published")
    weights = _trained(evidence)
    if weights:
        yield Fact(
            f"weights of {count_of(weights, 'training')}, their sha256 in training.json; `bench export ID --weights`"
        )


def _trained(evidence: ChecklistData) -> int:
    return sum(bool(item.spec.epochs) for item in evidence.results.trainings.values() if not item.simulated)


def pretrained(evidence: ChecklistData) -> Facts:
    """The weights that trainings start from, and those that they end with."""
    start = sorted({training.spec.initialization for training in evidence.plan.trainings})
    yield Fact(f"trainings start from: {listing([*start, *_weights(evidence)])}")
    if weights := _trained(evidence):
        yield Fact(f"weights of {count_of(weights, 'training')} are kept, with their sha256 in training.json")
    yield Fact("where the trained weights can be had", known=False)
