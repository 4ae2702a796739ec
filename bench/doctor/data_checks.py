"""Checks of the data root: datasets, downloaded weights, and whether results were made with these data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bench.checks import CheckFailedError, CheckList, CheckWarning, NotApplicableError, raise_together

READ = 20
"""Approximate number of images read per split; `bench data verify` reads them all."""

OTHER_ROOT = "name the folder that has one folder per dataset with --data-root"

ROOT, DATASET, RECORDED = CheckList(), CheckList(), CheckList()


@ROOT.check(OTHER_ROOT)
def data_root(root: Path) -> str:
    """The folder of datasets can be written."""
    if not root.exists():
        raise CheckWarning(f"{root} does not exist; synthetic data will be created there")
    if not root.is_dir():
        raise CheckFailedError(f"{root} is not a folder")
    if not os.access(root, os.W_OK | os.X_OK):
        raise CheckWarning(f"{root} is read-only", "ask its owner to prepare, draw and pack datasets, or copy them")
    return str(root.absolute())


@ROOT.check("have the files made readable: see ls -l", seconds=900)
def imagenet_weights(root: Path) -> str:
    """Each file has its sha256."""
    from bench.pose.errors import CheckpointError
    from bench.pose.models.weights import IMAGENET, IMAGENET_FILES, PIN, check_hash, pinned_checksum

    folder = root / IMAGENET
    known = [(file.find(folder), file.checksum, file.by_hand or file.url) for file in IMAGENET_FILES.values()]
    noted = [note.with_suffix("") for note in folder.rglob(f"*{PIN}")]
    known += [(path, pinned_checksum(path), "where it came from") for path in noted if path.is_file()]
    there = {path: (checksum or "", source) for path, checksum, source in known if path is not None}
    if not there:
        raise NotApplicableError(f"none in {folder}; `bench data prepare {IMAGENET}` downloads what is public")
    wrong = []
    for path, (checksum, source) in there.items():
        try:
            check_hash(path, checksum)
        except CheckpointError as error:
            wrong.append(CheckFailedError(str(error), f"remove {path}, then get it again: {source}"))
    raise_together(wrong)
    return f"{len(there)} files"


@DATASET.check("see `bench data list`", seconds=900)
def dataset(name: str, folder: Path) -> str:
    """Annotations, images, boxes and packed pixels are there."""
    from bench.files import sha256
    from bench.pose.data.datasets import dataset_info
    from bench.pose.data.prepare import prepare_command

    if not folder.exists():
        raise NotApplicableError(f"not in {folder}")
    info = dataset_info(name)
    fix = f"`{prepare_command(info, (), folder.parent)}` gets it or says how"
    splits = info.splits(folder)
    if not splits and info.generate is not None:
        return "nothing drawn yet"
    if not splits:
        raise CheckFailedError(f"{folder}: no {info.layout.annotations} of any split", fix)
    raise_together(problem for split in splits for problem in _problems(name, folder, split, fix))
    files = [info.read(folder, split).annotation_file for split in splits]
    return ", ".join(f"{split} ({sha256(file):.12})" for split, file in zip(splits, files, strict=True))


def _problems(name: str, folder: Path, split: str, fix: str) -> Iterator[CheckFailedError]:
    """Problems of a split and of a sample of its images."""
    from bench.pose.data.coco_format import CocoKeypoints
    from bench.pose.data.datasets import dataset_info
    from bench.pose.data.images import read_image
    from bench.pose.data.pixels.packed import packed_folder, read_shards
    from bench.pose.data.verify import expected_files
    from bench.pose.errors import DataError

    info = dataset_info(name)
    opened, boxes = info.read(folder, split), info.box_file(folder, split)
    for file in expected_files(info, opened):
        if not file.is_file():
            yield CheckFailedError(f"{file} is missing", fix)
    try:
        images = list(opened.image_paths() if isinstance(opened, CocoKeypoints) else opened.instances().images)
        for path in images[:: max(len(images) // READ, 1)]:
            try:
                read_image(path)
            except DataError as error:
                yield CheckFailedError(str(error), fix)
        if isinstance(opened, CocoKeypoints) and boxes and boxes.is_file() and not opened.count_boxes(boxes):
            yield CheckFailedError(f"{boxes}: no box of a person", fix)
    except DataError as error:
        yield CheckFailedError(str(error), fix)
    if opened.problems:
        count, first = len(opened.problems), opened.problems[0]
        left_out = f"{opened.annotation_file}: {count:,} entries are unusable and left out, such as {first}"
        yield CheckWarning(left_out, fix)
    try:
        for shard in read_shards(packed_folder(folder, split)):
            shard.map()
    except DataError as error:
        yield CheckFailedError(
            str(error), f"`bench data pack {name} {split} --data-root {folder.parent}` packs it again"
        )


@RECORDED.check("have both folders made readable: see ls -l", seconds=900)
def recorded_data(root: Path, results: Path) -> str:
    """Results were made with the annotations and boxes that are here."""
    from bench.files import sha256

    recorded: dict[Path, set[str]] = {}
    for file, digest in _recorded_files(root, results):
        recorded.setdefault(file, set()).add(digest)
    if not recorded:
        raise NotApplicableError("no results were made with the data here")
    hashes = {file: sha256(file) for file in recorded}
    fix = "put the right file back (`bench show ID` tells its sha256), or keep results of other data in another folder"
    raise_together(
        CheckFailedError(f"{file} has sha256 {hashes[file]:.12}, but some results were made with {other:.12}", fix)
        for file, others in recorded.items()
        for other in sorted(others - {hashes[file]})
    )
    return f"{len(recorded)} files"


def _recorded_files(root: Path, results: Path) -> Iterator[tuple[Path, str]]:
    """Local files with the name of a file in a measured result's provenance, and the hash recorded there."""
    from bench.doctor.results_checks import stored
    from bench.files import StoreError
    from bench.pose.data.verify import expected_files
    from bench.pose.errors import UnknownNameError
    from bench.store.documents import Record

    for folder in stored(results):
        with suppress(StoreError, UnknownNameError):  # another check reports it; an extension may be missing
            record = folder.record()
            if record is not None and not record.simulated and record.provenance.files:
                info = (record.training if isinstance(record, Record) else record.spec).data
                split = info.read(root / info.name, record.spec.split)
                here = {file.name: file for file in expected_files(info, split) if file.is_file()}
                yield from ((here[name], digest) for name, digest in record.provenance.files.items() if name in here)
