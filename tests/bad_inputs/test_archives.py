"""Capsules, archives of datasets, downloads, and packed images."""

from __future__ import annotations

import hashlib
import json
import stat
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bench.pose.data.download import Download, fetch, unpack
from bench.pose.data.pixels.packed import packed_folder
from bench.pose.errors import DataError
from tests.bad_inputs.case import Case, Meet, run
from tests.unit import tiny_datasets
from tests.unit.capsule.test_capsule import MPII, Members, edited, finish, members, one, rehash, write
from tests.unit.packed import make_split, pack

Change = Callable[[Members], Members]

VERIFY = "verify given.zip --data-root data"
REPORT = "report --capsule given.zip --format csv"


@cache
def _sound() -> Members:
    with tempfile.TemporaryDirectory() as folder:
        return members(finish(Path(folder), MPII, tiny_datasets.mpii).capsule)


def sound() -> Members:
    """Members of a capsule without fault."""
    return dict(_sound())


def capsule(name: str, change: Change | bytes, *says: str) -> Case:
    """A capsule of which members were changed; with what the manifest says of them only if the change says so."""

    def build(folder: Path) -> None:
        contents = sound()
        if isinstance(change, bytes):
            (folder / "given.zip").write_bytes(change)
        else:
            write(folder / "given.zip", change(contents))

    return Case(f"capsule: {name}", build, VERIFY, ("error: given.zip: ", *says))


def odd(name: str, add: Callable[[zipfile.ZipFile, Members], object], *says: str) -> Case:
    """A capsule with a member that no mapping of names to contents can hold."""

    def build(folder: Path) -> None:
        contents = sound()
        write(folder / "given.zip", contents)
        with zipfile.ZipFile(folder / "given.zip", "a") as archive:
            add(archive, contents)

    return Case(f"capsule: {name}", build, VERIFY, ("error: given.zip: ", *says))


def cut(folder: Path) -> None:
    whole = write(folder / "given.zip", sound())
    whole.write_bytes(whole.read_bytes()[:1000])


def without(contents: Members, name: str) -> Members:
    return {other: data for other, data in contents.items() if other != name}


def tampered(ending: str, edit: Callable[[Any], Any]) -> Change:
    """A document changed by somebody who makes the manifest fit."""

    def change(contents: Members) -> Members:
        name = one(contents, ending)
        return rehash(contents | {name: edited(contents[name], edit)})

    return change


def extra(name: str) -> Change:
    return lambda contents: rehash(contents | {name: b"x"})


def link(archive: zipfile.ZipFile, _contents: Members) -> None:
    info = zipfile.ZipInfo("report/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, "/etc/passwd")


def twice(archive: zipfile.ZipFile, contents: Members) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("suite.yaml", contents["suite.yaml"])


def manifest(edit: Callable[[Any], Any]) -> Change:
    return lambda contents: contents | {"manifest.json": edited(contents["manifest.json"], edit)}


def huge_number(contents: Members) -> Members:
    name = one(contents, "record.json")
    return rehash(contents | {name: b'{"people": ' + b"1" * 5000 + b"}"})


MISFIT = "one was changed"

CAPSULES = [
    Case("capsule: missing", lambda _: None, VERIFY, ("error: given.zip: not a readable capsule",)),
    capsule("empty", b"", "not a readable capsule"),
    capsule("text", b"no capsule", "not a readable capsule (File is not a zip file)"),
    Case("capsule: cut off", cut, VERIFY, ("error: given.zip: not a readable capsule",)),
    capsule("no manifest", lambda m: without(m, "manifest.json"), "manifest.json is missing; this is not a capsule"),
    capsule("manifest no JSON", lambda m: m | {"manifest.json": b"{"}, "manifest.json is not valid JSON"),
    capsule("other format", manifest(lambda doc: doc.update(schema_version=2)), "manifest.json: schema_version: Input"),
    capsule("unknown field", manifest(lambda doc: doc.update(run="me")), "manifest.json: run: Extra inputs"),
    capsule("member that climbs", extra("../outside"), "member '../outside' is not a name of a capsule"),
    capsule("member from the root", extra("/etc/cron.d/x"), "member '/etc/cron.d/x' is not a name of a capsule"),
    capsule("member hidden", extra("report/.ssh"), "member 'report/.ssh' is not a name of a capsule"),
    capsule("member of a drive", extra("C:\\x"), "is not a name of a capsule"),
    odd("member a link", link, "member 'report/link' is not a plain file"),
    odd("member twice", twice, "member 'suite.yaml' is there 2 times"),
    odd(
        "member unlisted", lambda archive, _: archive.writestr("report/x.md", "x"), "report/x.md is not in the manifest"
    ),
    capsule("member missing", lambda m: without(m, "suite.yaml"), "suite.yaml is missing"),
    capsule(
        "other size", lambda m: m | {"suite.yaml": m["suite.yaml"] + b" "}, "suite.yaml has another size than the man"
    ),
    capsule(
        "other contents",
        lambda m: m | {"suite.yaml": m["suite.yaml"].replace(b"MPII", b"mpii")},
        "suite.yaml was changed: its sha256 is not the manifest's",
    ),
    capsule("other settings", tampered("/spec.json", lambda spec: spec.update(flip_test=False)), MISFIT),
    capsule(
        "record of words",
        tampered("/record.json", lambda record: record.update(instances="six")),
        "instances: Input should",
    ),
    capsule("endless number", huge_number, "record.json is not valid JSON", "4300 digits"),
    capsule(
        "claims to be simulated",
        tampered("/record.json", lambda record: record.update(simulated=True)),
        "the manifest and the records disagree about whether results are simulated",
    ),
]


UNTOLD = [
    capsule(
        "count beyond all frames",
        tampered("/record.json", lambda record: record.update(instances=10**30)),
        "instances: Input should be less",
    ),
    capsule(
        "after all calendars",
        tampered("/record.json", lambda record: record["provenance"].update(started=1e300)),
        "provenance.started: Input should be less than or equal",
    ),
]
"""Numbers that no report can print."""


@pytest.mark.parametrize("command", [VERIFY, REPORT])
@pytest.mark.parametrize("case", [*CAPSULES, *UNTOLD], ids=str)
def test_capsules(case: Case, command: str, meet: Meet, tmp_path: Path) -> None:
    meet(replace(case, command=command))
    assert not (tmp_path.parent / "outside").exists()
    assert not (tmp_path / "reports").exists()


def test_numbers_that_do_not_come_out_again_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = members(finish(tmp_path, MPII, tiny_datasets.mpii).capsule)
    write(
        tmp_path / "given.zip", tampered("/record.json", lambda record: record["metrics"].update(Mean=99.0))(contents)
    )
    monkeypatch.chdir(tmp_path)
    status, said = run(VERIFY)
    assert status == 1
    assert "Mean: recorded 99, recomputed" in said


# Packed images.


def packed(name: str, change: Callable[[dict[str, Any]], object] | bytes, *says: str) -> Case:
    """An index that was changed; the split is read from the dataset's folder."""

    def build(folder: Path) -> None:
        split = make_split(folder / "coco")
        pack(split)
        (index,) = packed_folder(split.folder, split.split).glob("*.json")
        if isinstance(change, bytes):
            index.write_bytes(change)
        else:
            contents = json.loads(index.read_text())
            change(contents)
            index.write_text(json.dumps(contents))

    return Case(f"packed: {name}", build, "data verify coco train2017 --data-root .", says, 1)


def size(*values: object) -> Callable[[dict[str, Any]], object]:
    return lambda index: index["images"].update({"100.png": [*values]})


def short_pixels(folder: Path) -> None:
    split = make_split(folder / "coco")
    pack(split)
    (pixels,) = packed_folder(split.folder, split.split).glob("*.pixels")
    pixels.write_bytes(pixels.read_bytes()[:-1])


def other_pixels(folder: Path) -> None:
    split = make_split(folder / "coco")
    pack(split)
    (pixels,) = packed_folder(split.folder, split.split).glob("*.pixels")
    pixels.write_bytes(bytes(pixels.stat().st_size))


NO_INDEX = "00000.json: not an index of packed images"

PACKED = [
    packed("text", b"no index", "packed/train2017/00000.json: not valid JSON"),
    packed("a list", b"[]", NO_INDEX),
    packed(
        "other schema",
        lambda index: index.update(schema=9),
        "00000.json: schema 9, expected 2; pack the split again",
    ),
    packed(
        "hash that climbs", lambda index: index.update(sha256="../../../../x"), f"{NO_INDEX} (ValueError('its sha256"
    ),
    packed("height of words", size("high", 160, 1, 1), f"{NO_INDEX} (ValueError(\"'high' is not a whole number"),
    packed("negative width", size(120, -160, 1, 1), f"{NO_INDEX} (ValueError('-160 is not a whole number"),
    packed("no stamp", size(120, 160), NO_INDEX),
    packed("larger than its pixels", size(120, 1600, 1, 1), ".pixels: has ", "bytes instead of"),
    Case("packed: pixels cut off", short_pixels, "data verify coco train2017 --data-root .", (".pixels: has ",), 1),
    Case(
        "packed: other pixels",
        other_pixels,
        "data verify coco train2017 --data-root .",
        ("its pixels are not those that were packed; remove it and pack again",),
        1,
    ),
]


@pytest.mark.parametrize("case", PACKED, ids=str)
def test_packed_images(case: Case, meet: Meet) -> None:
    meet(case)


# Archives of datasets and downloads, which no command takes from a stranger: met by their reader.


def archive(folder: Path, name: str, mode: int = 0) -> Path:
    file = folder / "images.zip"
    with zipfile.ZipFile(file, "w") as contents:
        contents.writestr("sound.txt", "x")
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        contents.writestr(info, "/etc/passwd")
    return file


@pytest.mark.parametrize(
    ("name", "mode", "says"),
    [
        ("../outside", 0, "images.zip: member '../outside' leaves the folder"),
        ("/etc/outside", 0, "images.zip: member '/etc/outside' leaves the folder"),
        ("link", stat.S_IFLNK | 0o777, "images.zip: member 'link' is a link"),
        ("gate/outside", 0, "images.zip: member 'gate/outside' leaves the folder"),
    ],
)
def test_archives_of_datasets(name: str, mode: int, says: str, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "gate").symlink_to(tmp_path)
    with pytest.raises(DataError) as refused:
        unpack(archive(tmp_path, name, mode), target)
    assert says in str(refused.value)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["gate", "images.zip", "target"], "nothing is written"


@pytest.mark.parametrize(
    ("url", "checksum", "says"),
    [
        ("http://127.0.0.1:1/x.zip", "", "http://127.0.0.1:1/x.zip: checksum '': expected sha256:HEX or md5:HEX"),
        ("http://127.0.0.1:1/x.zip", "crc32:12345678", "checksum 'crc32:12345678': expected sha256:HEX or md5:HEX"),
        ("http://127.0.0.1:1/x.zip", "sha256:", "checksum 'sha256:': expected sha256:HEX or md5:HEX"),
        ("file:///etc/passwd", "sha256:" + "0" * 64, "file:///etc/passwd: only http and https are fetched"),
        ("ftp://127.0.0.1/x.zip", "sha256:" + "0" * 64, "only http and https are fetched"),
    ],
)
def test_downloads(url: str, checksum: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        fetch(Download(url, 3, checksum), tmp_path / "x.zip", pause=0)
    assert says in str(refused.value)
    assert not (tmp_path / "x.zip").exists()


def test_a_file_of_another_checksum_is_not_taken_for_the_download(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"bad")
    good = "sha256:" + hashlib.sha256(b"abc").hexdigest()
    with pytest.raises(DataError, match="no connection"):
        fetch(Download("http://127.0.0.1:1/x.zip", 3, good), tmp_path / "x.zip", pause=0)
