"""Downloads from a server that breaks off, knows no ranges, or has another file; archives that climb out."""

import hashlib
import http.server
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from bench.pose.data import prepare as preparation
from bench.pose.data.datasets import dataset_info
from bench.pose.data.download import Download, DownloadError, fetch, unpack
from bench.pose.data.prepare import Archive, prepare
from bench.pose.errors import DataError, UnknownNameError

CONTENTS = np.random.default_rng(0).bytes(3_000_000)


class Server(http.server.ThreadingHTTPServer):
    """Serves one file, and misbehaves as told."""

    contents = CONTENTS
    ranges = True
    wrong_range = False
    status = 200
    break_after: int | None = None
    """Bytes after which each connection breaks."""
    busy = 0
    """Times that it answers that it is busy."""
    redirect: str | None = None
    """Where it sends a first request."""
    chunked = False
    """Whether it does not say how much it sends."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file.zip"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        self.server.paths.append(self.path)
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        if self.server.busy:
            self.server.busy -= 1
            self.send_error(503)
            return
        if self.server.redirect and not self.path.endswith("moved"):
            self.send_response(302)
            self.send_header("Location", self.server.redirect)
            self.end_headers()
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.server.ranges else 0
        body = self.server.contents[start:]
        if start and not body:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            claimed = 0 if self.server.wrong_range else start
            total = len(self.server.contents)
            self.send_header("Content-Range", f"bytes {claimed}-{total - 1}/{total}")
        if not self.server.chunked:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.server.break_after is None else body[: self.server.break_after])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def wanted(server: Server, contents: bytes = CONTENTS) -> Download:
    return Download(server.url, len(contents), f"sha256:{hashlib.sha256(contents).hexdigest()}")


def test_a_file_is_fetched_once(server: Server, tmp_path: Path) -> None:
    seen: list[int] = []
    target = tmp_path / "deep" / "file.zip"
    fetch(wanted(server), target, watch=lambda done, _total: seen.append(done))
    assert target.read_bytes() == CONTENTS
    assert seen == sorted(seen)
    assert seen[-1] == len(CONTENTS)
    fetch(wanted(server), target)
    assert server.asked == [None]
    assert [file.name for file in target.parent.iterdir()] == ["file.zip"]


def test_md5_will_do(server: Server, tmp_path: Path) -> None:
    checksum = f"md5:{hashlib.md5(CONTENTS).hexdigest()}"
    fetch(Download(server.url, len(CONTENTS), checksum), tmp_path / "file.zip")
    assert (tmp_path / "file.zip").read_bytes() == CONTENTS


def test_a_broken_connection_is_taken_up_again(server: Server, tmp_path: Path) -> None:
    server.break_after = 1_100_000
    fetch(wanted(server), tmp_path / "file.zip", pause=0)
    assert (tmp_path / "file.zip").read_bytes() == CONTENTS
    assert len(server.asked) == 3
    assert server.asked[1:] == ["bytes=1100000-", "bytes=2200000-"]


def test_what_came_before_the_connection_died_is_kept_for_the_next_call(server: Server, tmp_path: Path) -> None:
    class InterruptError(Exception):
        pass

    def interrupt(done: int, _total: int) -> None:
        if done > 1_000_000:
            raise InterruptError

    target = tmp_path / "file.zip"
    with pytest.raises(InterruptError):
        fetch(wanted(server), target, watch=interrupt)
    assert not target.exists()
    (partial,) = tmp_path.glob("*.partial")
    got = partial.stat().st_size
    assert 1_000_000 < got < len(CONTENTS)
    fetch(wanted(server), target)
    assert server.asked == [None, f"bytes={got}-"]
    assert target.read_bytes() == CONTENTS


def test_a_server_without_ranges_starts_over(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / ".file.zip.partial").write_bytes(b"x" * 1000)
    fetch(wanted(server), tmp_path / "file.zip")
    assert (tmp_path / "file.zip").read_bytes() == CONTENTS


def test_a_server_that_sends_another_part_is_refused(server: Server, tmp_path: Path) -> None:
    server.wrong_range = True
    (tmp_path / ".file.zip.partial").write_bytes(CONTENTS[:1000])
    with pytest.raises(DownloadError, match="asked for bytes from 1000, the server sends bytes 0-"):
        fetch(wanted(server), tmp_path / "file.zip")


def test_a_wrong_checksum_is_refused_and_the_file_removed(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".file.zip.partial").write_bytes(b"x" * 1000)  # somebody else's beginning
    with pytest.raises(DownloadError, match="another checksum than sha256:"):
        fetch(wanted(server), tmp_path / "file.zip")
    assert not [file for file in tmp_path.iterdir() if file.suffix != ".lock"]
    fetch(wanted(server), tmp_path / "file.zip")


def test_a_wrong_size_is_refused_before_anything_is_written(server: Server, tmp_path: Path) -> None:
    for contents in (CONTENTS[:-1], CONTENTS + b"1"):
        with pytest.raises(DownloadError, match="the server has 3,000,000 bytes, expected"):
            fetch(wanted(server, contents), tmp_path / "file.zip")
    assert not [file for file in tmp_path.iterdir() if file.suffix != ".lock"]


def test_offline_is_said_as_such(server: Server, tmp_path: Path) -> None:
    server.server_close()
    (tmp_path / ".file.zip.partial").write_bytes(CONTENTS[:1000])
    with pytest.raises(DownloadError, match=r"no connection \(.*refused\); 1,000 of 3,000,000 bytes are here"):
        fetch(wanted(server), tmp_path / "file.zip", pause=0)


def test_errors_of_the_server_and_other_schemes(server: Server, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(DownloadError, match="the server answers 404"):
        fetch(wanted(server), tmp_path / "file.zip")
    with pytest.raises(DownloadError, match="only http and https"):
        fetch(Download("file:///etc/passwd", 1, "sha256:0"), tmp_path / "file.zip")
    (tmp_path / "file.zip").write_bytes(CONTENTS)
    with pytest.raises(DownloadError, match="expected sha256:HEX or md5:HEX"):
        fetch(Download(server.url, len(CONTENTS), "crc:0"), tmp_path / "file.zip")


def unsized(server: Server, digits: int = 8) -> Download:
    """A download of which little is known beforehand, as of ImageNet weights."""
    return Download(server.url, None, f"sha256:{hashlib.sha256(CONTENTS).hexdigest()[:digits]}")


def test_a_file_of_unknown_size_is_resumed_too(server: Server, tmp_path: Path) -> None:
    server.break_after = 1_100_000
    fetch(unsized(server), tmp_path / "file.zip", pause=0)
    assert (tmp_path / "file.zip").read_bytes() == CONTENTS
    assert server.asked == [None, "bytes=1100000-", "bytes=2200000-"]
    fetch(unsized(server), tmp_path / "file.zip")
    assert len(server.asked) == 3


@pytest.mark.parametrize("size", [None, 3_000_001])
def test_a_part_beyond_the_end_is_whole_or_starts_over(size: int | None, server: Server, tmp_path: Path) -> None:
    """The server answers 416; what is there may be the file, or longer than the server's."""
    (tmp_path / ".file.zip.partial").write_bytes(CONTENTS)
    if size is None:
        fetch(unsized(server), tmp_path / "file.zip")
        assert server.asked == [f"bytes={len(CONTENTS)}-"]
        (tmp_path / "file.zip").rename(tmp_path / ".file.zip.partial")
        with (tmp_path / ".file.zip.partial").open("ab") as file:
            file.write(b"more")
        fetch(unsized(server), tmp_path / "file.zip")
        assert (tmp_path / "file.zip").read_bytes() == CONTENTS
    else:
        with pytest.raises(DownloadError, match="the server has 3,000,000 bytes, expected 3,000,001"):
            fetch(Download(server.url, size, "sha256:" + "0" * 64), tmp_path / "file.zip", pause=0)
    assert not (tmp_path / ".file.zip.partial").exists()


def test_a_transfer_cut_short_is_noticed_by_its_checksum(server: Server, tmp_path: Path) -> None:
    """Without a length, its end looks like the file's."""
    server.chunked, server.break_after = True, 1_100_000
    with pytest.raises(DownloadError, match="another checksum"):
        fetch(unsized(server), tmp_path / "file.zip", pause=0)
    assert not (tmp_path / "file.zip").exists()


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.busy = 2
    fetch(wanted(server), tmp_path / "file.zip", pause=0)
    assert len(server.asked) == 3
    server.busy = 9
    with pytest.raises(DownloadError, match=r"no connection \(Service Unavailable\); 0 of 3,000,000 bytes"):
        fetch(wanted(server), tmp_path / "other.zip", pause=0)


def test_redirects_are_followed_to_http_alone(server: Server, tmp_path: Path) -> None:
    server.redirect = server.url + ".moved"
    (tmp_path / ".file.zip.partial").write_bytes(CONTENTS[:1000])
    fetch(wanted(server), tmp_path / "file.zip")
    assert server.asked == ["bytes=1000-"] * 2
    server.redirect = "file:///etc/passwd"
    with pytest.raises(DownloadError, match="the server answers 302"):
        fetch(wanted(server), tmp_path / "other.zip", pause=0)


def test_proxies_of_the_environment_are_used(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib.request._opener", None)  # it has looked at the environment
    monkeypatch.setenv("http_proxy", server.url.rpartition("/")[0])
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    url = "http://weights.invalid/file.zip"
    fetch(Download(url, len(CONTENTS), wanted(server).checksum), tmp_path / "file.zip", pause=0)
    assert server.paths == [url]


def test_of_two_processes_one_downloads(server: Server, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: fetch(wanted(server), tmp_path / "file.zip"), range(4)))
    assert server.asked == [None]
    assert [file.name for file in tmp_path.iterdir()] == ["file.zip"]


def test_a_full_disk_is_said_as_such(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".file.zip.partial").symlink_to("/dev/full")
    with pytest.raises(DownloadError, match=r"file\.zip\.partial: No space left on device"):
        fetch(wanted(server), tmp_path / "file.zip", pause=0)
    assert len(server.asked) == 1


# Archives


def archive(file: Path, *names: str, link: str | None = None) -> Path:
    with zipfile.ZipFile(file, "w") as contents:
        for name in names:
            contents.writestr(name, f"in {name}")
        if link:
            member = zipfile.ZipInfo(link)
            member.external_attr = 0o120777 << 16
            contents.writestr(member, "/etc")
    return file


def test_unpacking_leaves_what_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    file = archive(tmp_path / "a.zip", "val2017/1.jpg", "val2017/2.jpg")
    assert unpack(file, folder) == 2
    assert (folder / "val2017" / "1.jpg").read_text() == "in val2017/1.jpg"
    before = (folder / "val2017" / "1.jpg").stat().st_mtime_ns
    (folder / "val2017" / "2.jpg").write_text("half")
    unpack(file, folder)
    assert (folder / "val2017" / "1.jpg").stat().st_mtime_ns == before
    assert (folder / "val2017" / "2.jpg").read_text() == "in val2017/2.jpg"


@pytest.mark.parametrize("name", ["../a.txt", "/a.txt", "b/../../a.txt", "out/../../../a.txt"])
def test_a_member_that_climbs_out_is_refused(name: str, tmp_path: Path) -> None:
    file = archive(tmp_path / "a.zip", "good.txt", name)
    with pytest.raises(DataError, match=r"a\.zip: member .* leaves the folder"):
        unpack(file, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip"]


def test_links_and_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="member 'door' is a link"):
        unpack(archive(tmp_path / "a.zip", "good.txt", link="door"), tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "door").symlink_to("/tmp")
    with pytest.raises(DataError, match="leaves the folder"):
        unpack(archive(tmp_path / "b.zip", "door/a.txt"), tmp_path / "out")
    (tmp_path / "c.zip").write_bytes(b"no zip")
    with pytest.raises(DataError, match=r"c\.zip: not a sound zip file"):
        unpack(tmp_path / "c.zip", tmp_path / "out")


def test_preparing_fetches_unpacks_and_says_the_rest(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.contents = archive(tmp_path / "a.zip", "val2017/1.jpg").read_bytes()
    found = Archive(wanted(server, server.contents), "images", ("val2017",))
    monkeypatch.setattr(preparation, "ARCHIVES", {"coco": (found,)})
    folder, said = tmp_path / "coco", list[str]()

    prepare(dataset_info("coco"), folder, (), said.append, dry_run=True)
    with pytest.raises(UnknownNameError, match="unknown split 'val2107'"):
        prepare(dataset_info("coco"), folder, ("val2107",), said.append)
    assert (folder.exists(), server.asked) == (False, [])

    prepare(dataset_info("coco"), folder, ("val2017",), said.append)
    assert (folder / "images" / "val2017" / "1.jpg").read_text() == "in val2017/1.jpg"
    assert not (folder / "downloads" / "file.zip").exists()
    assert "COCO_val2017_detections_AP_H_56_person.json" in said[-1]
    prepare(dataset_info("coco"), folder, (), said.append)
    assert len(server.asked) == 1
    assert any("unpacked already" in line for line in said)
