"""Files are whole or absent: whatever stops a writer, the old contents stay until the new ones are complete."""

import json
import multiprocessing
import os
import signal
from pathlib import Path

import pytest
from pydantic import BaseModel

from bench.files import StoreError, load_document, read_json, remove_leftovers, sha256, write_atomically, write_json


def test_a_value_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "value.json"
    write_json(file, {"text": "é", "numbers": [1, 2.5, None]})
    assert read_json(file) == {"text": "é", "numbers": [1, 2.5, None]}
    assert read_json(tmp_path / "absent.json") is None


def test_a_writer_that_raises_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "value.json"
    write_json(file, "old")

    def write(out) -> None:
        out.write(b'"half')
        raise RuntimeError("out of disk")

    with pytest.raises(RuntimeError, match="out of disk"):
        write_atomically(file, write)
    assert read_json(file) == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["value.json"]


def test_a_reader_of_the_old_file_reads_on_undisturbed(tmp_path: Path) -> None:
    file = tmp_path / "value.json"
    write_json(file, "old")
    with file.open() as reader:
        write_json(file, "new")
        assert json.load(reader) == "old"
    assert read_json(file) == "new"


def _die_while_writing(file: Path) -> None:
    def write(out) -> None:
        out.write(b'"half')
        out.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    write_atomically(file, write)


def test_a_killed_writer_changes_nothing_and_its_leftover_can_be_removed(tmp_path: Path) -> None:
    file = tmp_path / "value.json"
    write_json(file, "old")
    process = multiprocessing.get_context("fork").Process(target=_die_while_writing, args=(file,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert read_json(file) == "old"
    assert len(list(tmp_path.iterdir())) == 2
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["value.json"]


def test_nan_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "value.json", float("nan"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("contents", ['{"half": ', "", "[" * 100_000, "\xff"])
def test_broken_json_is_named(contents: str, tmp_path: Path) -> None:
    file = tmp_path / "value.json"
    file.write_bytes(contents.encode("latin-1"))
    with pytest.raises(StoreError, match=r"value\.json is not valid JSON"):
        read_json(file)


class Sentence(BaseModel):
    words: str


def test_a_document_may_hold_half_a_surrogate_pair(tmp_path: Path) -> None:
    """As the name of a file does that is no UTF-8."""
    file = tmp_path / "document.json"
    write_json(file, {"words": os.fsdecode(b"caf\xe9.jpg")})
    assert load_document(file, Sentence) == Sentence.model_construct(words="caf\udce9.jpg")


def test_a_place_where_no_file_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot write .*value\.json"):
        write_json(tmp_path / "file" / "value.json", 1)
    with pytest.raises(StoreError, match="cannot read"):
        read_json(tmp_path)


def test_hash(tmp_path: Path) -> None:
    file = tmp_path / "abc"
    file.write_bytes(b"abc")
    assert sha256(file).startswith("ba7816bf8f01cfea")


def test_files_are_indented_for_instances_to_read(tmp_path: Path) -> None:
    write_json(tmp_path / "value.json", {"a": [1]})
    assert (tmp_path / "value.json").read_text() == json.dumps({"a": [1]}, indent=2) + "\n"
