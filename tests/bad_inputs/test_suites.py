"""Suites: what is no YAML, what is no suite, and what is a suite of something that does not exist."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.bad_inputs.case import Build, Case, Meet
from tests.unit.suites import changed

PLAN = "plan example.yaml"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
DEEP = "x: " + "[" * 500 + "]" * 500


def text(contents: str | bytes) -> Build:
    data = contents if isinstance(contents, bytes) else contents.encode()
    return lambda folder: (folder / "example.yaml").write_bytes(data)


def edit(*changes: tuple[str, str]) -> Build:
    return text(changed(*changes))


def line(name: str, old: str, new: str, number: int, *says: str) -> Case:
    """A change of the example that must be named with its line."""
    first, *others = says
    return Case(name, edit((old, new)), PLAN, (f"example.yaml:{number}: {first}", *others))


def folder_in_its_place(folder: Path) -> None:
    (folder / "example.yaml").mkdir()


def loop(folder: Path) -> None:
    (folder / "example.yaml").symlink_to("example.yaml")


def blur(value: str, *says: str) -> Case:
    """A width of the blur of heatmaps, given on the command line."""
    return Case(
        f"blur_cells={value}", edit(), f"{PLAN} --set blur_cells={value}", (f"--set 'blur_cells={value}'", *says)
    )


def only(selection: str, *says: str) -> Case:
    return Case(f"--only {selection}", edit(), f"{PLAN} --only '{selection}'", ("error: --only", *says))


REPRESENTATIONS = "representation: [heatmap, simdr]"
TABLES = "{id: results, compare: published/coco_val}"
CLAIM = 'tables:\n  - {id: results, compare: published/coco_val}\nclaims:\n  - {id: c, says: So it is., that: "%s"}'

MANY = list(range(1, 351))

CASES = [
    blur("10", "blur_cells: expected an odd number, for example 11"),
    blur("0", "blur_cells: Input should be greater than or equal to 1"),
    blur("x", "blur_cells: Input should be a valid integer, found 'x'"),
    Case("missing", lambda _: None, PLAN, ("error: example.yaml: No such file",)),
    Case("a folder", folder_in_its_place, PLAN, ("error: example.yaml: is a directory, expected a suite file",)),
    Case("a link to itself", loop, PLAN, ("error: example.yaml: Too many levels of symbolic links",)),
    Case("empty", text(""), PLAN, ("example.yaml:1: expected a mapping with name, title, dataset",)),
    Case("a list", text("- 1\n"), PLAN, ("example.yaml:1: expected a mapping with name, title",)),
    Case("not UTF-8", text(b"name: \xff\xfe"), PLAN, ("example.yaml: not a text file", "0xff")),
    Case("control characters", text("name: a\x00b"), PLAN, ("example.yaml: ", "special characters are not allowed")),
    Case("unclosed bracket", text("name: [a\ntitle: b\n"), PLAN, ("example.yaml:2: ", "expected ',' or ']'")),
    Case("tab for spaces", text("train:\n\taxes: 1\n"), PLAN, ("example.yaml:2: ", "cannot start any token")),
    Case(
        "an object of Python",
        text("name: !!python/object/apply:os.system [id]\n"),
        PLAN,
        ("example.yaml:1: could not determine a constructor for the tag", "python/object"),
    ),
    Case("an alias of nothing", text("name: *x\n"), PLAN, ("example.yaml:1: found undefined alias 'x'",)),
    Case("an alias of itself", text("name: &a [*a]\n"), PLAN, ("example.yaml: ", "alias contains itself")),
    Case(
        "a bomb of aliases", text(BOMB), PLAN, ("example.yaml:", "more than 100,000 values, those of aliases included")
    ),
    Case(
        "a bomb of merges",
        text(
            BOMB.replace("[x, x, x, x, x, x, x, x, x]", "{k: v}")
            .replace(": &", ": &")
            .replace("[*", "{<<: [*")
            .replace("]\n", "]}\n")
            .replace("{k: v}}", "{k: v}")
        ),
        PLAN,
        ("more than 100,000 values",),
    ),
    Case("nested without end", text(DEEP), PLAN, ("example.yaml: nested too deeply",)),
    Case("far too large", text("#" * 2_000_001), PLAN, ("example.yaml: more than 2,000,000 bytes",)),
    Case("two documents", text("a: 1\n---\nb: 2\n"), PLAN, ("example.yaml:2: ", "expected a single document")),
    Case("a number that is none", text("name: !!int five\n"), PLAN, ("example.yaml:1: 'five' is no valid int",)),
    line("key twice", "name: example", "name: example\nname: other", 2, "'name' is given twice in one mapping"),
    line("unknown key", "title: An example", "titel: An example", 2, "unknown key 'titel' (did you mean 'title'?)"),
    Case("missing key", edit(("title: An example\n", "")), PLAN, ("example.yaml:1: the key 'title' is missing",)),
    line("number for a text", "title: An example", "title: 3", 2, "title: Input should be a valid string, found 3"),
    line("a path for a name", "name: example", "name: ../escape", 1, "name: String should match pattern"),
    line("unknown dataset", "name: coco,", "name: cocco,", 3, "unknown dataset 'cocco' (did you mean 'coco'?)"),
    line(
        "unknown axis",
        "backbone: [simba_res50]",
        "bakbone: [simba_res50]",
        6,
        "unknown setting 'bakbone'",
        "the axis 'backbone' is missing",
    ),
    line("model that timm lacks", "[simba_res50]", "[timm/resnot50]", 6, "backbone: unknown backbone 'timm/resnot50'"),
    line("unknown backbone", "[simba_res50]", "[simba_res5]", 6, "backbone: unknown backbone 'simba_res5' (did you"),
    line(
        "unknown representation",
        REPRESENTATIONS,
        "representation: [simdrr]",
        7,
        "representation: unknown representation 'simdrr'",
    ),
    line("size not of 32", "[64x64]", "[60x64]", 8, "input_size: input size '60x64' is not HEIGHTxWIDTH"),
    line("axis without a value", "[64x64]", "[]", 8, "axis 'input_size' has no value"),
    line("text for a number", "{epochs: 5}", "{epochs: five}", 10, "epochs: Input should be a valid integer"),
    line("negative number", "{epochs: 5}", "{epochs: -5}", 10, "epochs: Input should be greater than or equal to 0"),
    line("not a number", "{epochs: 5}", "{learning_rate: .nan}", 10, "learning_rate: Input should be"),
    line("rule that is none", "- {epochs: 5}", "- epochs", 10, "expected a mapping of settings, found 'epochs'"),
    line("exclusion without reason", ", because: too big", "", 12, "an exclusion needs a reason"),
    line("unknown recipe", "recipe: paper", "recipe: papier", 13, "unknown recipe 'papier' (did you mean 'paper'?)"),
    line("unknown table", TABLES, "{id: results, compare: published/coco_vla}", 18, "unknown published table"),
    line("unknown metric", TABLES, "{id: results, metrics: [APP]}", 18, "unknown metric 'APP' (did you mean 'AP'?)"),
    line("table twice", TABLES, f"{TABLES}\n  - {TABLES}", 19, "table 'results' is given twice"),
    line("claim of nothing", f"tables:\n  - {TABLES}", CLAIM % "AP[simdr] >", 20, "that: column 12: expected a metric"),
    line(
        "claim without end",
        f"tables:\n  - {TABLES}",
        CLAIM % ("(" * 30),
        20,
        "that: column 21: more than 20 parentheses",
    ),
    line(
        "claim of an unknown",
        f"tables:\n  - {TABLES}",
        CLAIM % "AP[simdrr] > 0",
        20,
        "that: column 4: unknown selector 'simdrr'",
    ),
    Case(
        "more cells than anybody trains",
        edit(("[64x64]", f"[64x64]\n    seed: {MANY}\n    epochs: {MANY}")),
        PLAN,
        ("example.yaml: 245,000 combinations of the axes; at most 100,000 are planned",),
    ),
    Case(
        "more evaluations than anybody makes",
        edit(("boxes: gt, when: {representation: heatmap}", f"batch_size: {MANY}, score_threshold: {MANY}, boxes: gt")),
        PLAN,
        ("example.yaml: 122,500 combinations of an entry of `evaluate`",),
    ),
    Case(
        "a cell that does not exist",
        edit(("[simba_res50]", "[tokenpose_s]"), ("[64x64]", "[96x96]")),
        PLAN,
        ("example.yaml: cell backbone=tokenpose_s", "96"),
    ),
    only("backbone", "expected AXIS=VALUE[,VALUE] with an axis of backbone, representation, input_size"),
    only("bakbone=hrnet_w32", "with an axis of backbone"),
    only("representation=simdr,simder", "axis 'representation' has no value 'simder'; valid: heatmap, simdr"),
    only("=", "expected AXIS=VALUE"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_suites(case: Case, meet: Meet) -> None:
    meet(case)


def test_a_device_is_not_read_to_its_end(meet: Meet) -> None:
    assert os.path.exists("/dev/zero")
    meet(Case("endless", lambda _: None, "plan /dev/zero", ("/dev/zero: more than 2,000,000 bytes",)))
