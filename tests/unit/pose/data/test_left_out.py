"""What is left out of a split, in a few lines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.pose.data.instances import Instance
from bench.pose.data.left_out import count_images, never_labelled, summarize

NOBODY = Instance(Path("/data/0.jpg"), 0, 0, np.ones(4), np.zeros((3, 2)), np.zeros(3, dtype=bool), 1.0)


def test_many_problems_of_one_kind_are_one_line() -> None:
    many = [f"gt.json: annotation {number}: image {number * 7} is not in the file" for number in range(1234)]
    assert summarize(many) == [f"{many[0]} (and 1,233 more of this kind)"]
    assert summarize(summarize(many)) == summarize(many)


def test_values_make_no_kind() -> None:
    lines = ["a: image 1: file_name '' names no file", "a: image 2: file_name 'b\\n' names no file",
             "a: image number 3: not an object: {'id': None}", "a: image number 4: not an object: [1, 2]"]  # fmt: skip
    assert summarize(lines * 3) == lines, "few of a kind are listed, each once"
    assert len(summarize([*lines[:2], *(f"a: image {n}: file_name '{n}' names no file" for n in range(3, 6))])) == 1


def test_images_are_counted_by_what_is_wrong_with_them() -> None:
    instances = [replace(NOBODY, image=Path(f"/data/{number // 2}.jpg")) for number in range(2000)]
    unread = {position: f"{instances[position].image}: No such file or directory" for position in range(6)}
    unread[9] = "/data/4.jpg: the file is empty"
    assert count_images(instances, unread, "val") == (
        1000,
        4,
        [
            "3 of 1,000 images of val left out, with 6 of 2,000 instances, such as: /data/0.jpg: No such file or"
            " directory",
            "1 of 1,000 images of val left out, with 1 of 2,000 instances: /data/4.jpg: the file is empty",
        ],
    )


def test_keypoints_that_nobody_has() -> None:
    one = replace(NOBODY, visible=np.array([True, False, False]))
    other = replace(NOBODY, visible=np.array([True, False, True]))
    assert never_labelled([one, other], ("nose", "left_ear", "right_ear")) == ["left_ear"]
