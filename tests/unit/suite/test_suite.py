"""Suites: every mistake is named with its line, and the grid expands into specs with lasting identities."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.suite.expansion import Expansion, expand
from bench.suite.schema import load_suite
from bench.suite.source import SuiteError, read_yaml
from bench.suite.specs import EvalSpec, TrainSpec
from tests.unit.suites import SUITE, changed, example_evaluation, example_training, load

MISTAKES = {
    # The change to the example, the line that the error must name, and what it must say.
    "unknown key": (("title: An", "tittle: x\ntitle: An"), 2, "unknown key 'tittle' (did you mean 'title'?)"),
    "unknown nested key": (("eval: val2017", "evall: val2017"), 3, "unknown key 'evall' (did you mean 'eval'?)"),
    "missing key": (("title: An example\n", ""), 1, "the key 'title' is missing"),
    "missing nested key": ((", eval: val2017", ""), 3, "the key 'eval' is missing"),
    "repeated key": (("title: An example", "title: An example\nname: again"), 3, "'name' is given twice"),
    "repeated nested key": (("recipe: paper", "recipe: paper\n  recipe: paper"), 14, "'recipe' is given twice"),
    "wrong type": (("name: example", "name: 3"), 1, "name: Input should be a valid string, found 3"),
    "unsafe name": (("name: example", "name: ../example"), 1, "name: String should match pattern"),
    "non-text key": (("title: An", "3: x\ntitle: An"), 2, "the key 3 is not a text"),
    "unknown dataset": (("name: coco", "name: cocoa"), 3, "unknown dataset 'cocoa' (did you mean 'coco'?)"),
    "unknown axis": (("input_size: [64x64]", "input_siz: [64x64]"), 8, "'input_siz' (did you mean 'input_size'?)"),
    "unknown value": (("[simba_res50]", "[simba_res5]"), 6, "'simba_res5' (did you mean 'simba_res50'?)"),
    "unknown value in a list": (("[simba_res50]", "\n    - simba_res50\n    - hrnet"), 8, "unknown backbone 'hrnet'"),
    "bad size": (("64x64", "64x60"), 8, "input size '64x60' is not HEIGHTxWIDTH with multiples of 32"),
    "size no text": (("[64x64]", "[64]"), 8, "input size '64' is not HEIGHTxWIDTH with multiples of 32"),
    "missing axis": (("    backbone: [simba_res50]\n", ""), 5, "the axis 'backbone' is missing"),
    "axis without values": (("[64x64]", "[]"), 8, "axis 'input_size' has no value"),
    "no axes": (("  axes:\n", "  axes: {}\n  was:\n"), 5, "axes: Dictionary should have at least 1 item"),
    "unknown setting": (("epochs: 5", "epoch: 5"), 10, "unknown setting 'epoch' (did you mean 'epochs'?)"),
    "value out of range": (("epochs: 5", "epochs: -1"), 10, "epochs: Input should be greater than or equal to 0"),
    "text for a number": (("epochs: 5", "learning_rate: '1e-3'"), 10, "should be a valid number, found '1e-3'"),
    "number with a line in it": (("epochs: 5", "epochs: 1_000"), 10, "should be a valid integer, found '1_000'"),
    "no for false": (("heatmap}}", "heatmap}, flip_test: no}"), 15, "Input should be true or false, found 'no'"),
    "truth for a number": (("epochs: 5", "epochs: true"), 10, "epochs: Input should be a valid integer, found True"),
    "not a number": (("epochs: 5", "sigma: .nan"), 10, "sigma: Input should be"),
    "infinite threshold": (("{boxes: gt, when: {representation: heatmap}}", "{score_threshold: .inf}"), 15, "finite"),
    "less than two bins": (("epochs: 5", "split_ratio: 0.01"), 10, "split_ratio: Input should be greater"),
    "seed out of range": (("epochs: 5", "seed: 99999999999999999999"), 10, "seed: Input should be less"),
    "rule no mapping": (("- {epochs: 5}", "- epochs"), 10, "expected a mapping of settings, found 'epochs'"),
    "rules no list": (("set:\n    - {epochs: 5}", "set: {epochs: 5}"), 9, "set: Input should be a valid list"),
    "condition no mapping": (
        ("when: {backbone: hrnet_w48}", "when: hrnet_w48"),
        12,
        "expected a mapping of conditions",
    ),
    "unknown condition": (("{backbone: hrnet_w48}", "{backbon: hrnet_w48}"), 12, "(did you mean 'backbone'?)"),
    "unknown condition value": (("{backbone: hrnet_w48}", "{backbone: hrnet_w49}"), 12, "(did you mean 'hrnet_w48'?)"),
    "exclusion without reason": ((", because: too big", ""), 12, "an exclusion needs a reason"),
    "exclusion with empty reason": (("because: too big", "because: "), 12, "an exclusion needs a reason"),
    "unknown recipe": (("recipe: paper", "recipe: papr"), 13, "unknown recipe 'papr' (did you mean 'paper'?)"),
    "evaluation no mapping": (("- {boxes: gt, when: {representation: heatmap}}", "- gt"), 15, "expected a mapping"),
    "unknown boxes": (("{boxes: gt, when: {representation: simdr}}", "{boxes: dt}"), 16, "boxes: Input should be"),
    "unknown condition of the second evaluation": (
        ("{representation: simdr}}", "{representatio: simdr}}"),
        16,
        "(did you mean 'representation'?)",
    ),
    "unknown published table": (("coco_val}", "coco_vall}"), 18, "(did you mean 'published/coco_val'?)"),
    "table given twice": (("tables:\n", "tables:\n  - {id: results}\n"), 19, "table 'results' is given twice"),
    "unknown metric": (("coco_val}", "coco_val, metrics: [AP, AP5]}"), 18, "unknown metric 'AP5' (did you mean 'AP"),
    "margin of nothing": (("coco_val}", "coco_val, margin: 0}"), 18, "margin: Input should be greater than 0"),
    "unclosed bracket": (("[simba_res50]", "[simba_res50"), 7, "did not find expected|expected ',' or ']'"),
    "tab": (("title: An", "\ttitle: An"), 2, "cannot start any token"),
    "no such number": (("epochs: 5", "epochs: !!int five"), 10, "'five' is no valid int"),
    "python object": (("An example", "!!python/object:os.system x"), 2, "could not determine a constructor"),
    "second document": (("tables:", "---\ntables:"), 17, "expected a single document"),
}


def errors(text: str, folder: Path) -> list[tuple[int, str]]:
    """Line and message of each problem that reading a text reports."""
    file = folder / "suite.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SuiteError) as caught:
        load_suite(file)
    found = [re.fullmatch(rf"{re.escape(str(file))}:(\d+): (.*)", line) for line in str(caught.value).splitlines()]
    assert all(found), f"a problem lacks file or line: {caught.value}"
    return [(int(match[1]), match[2]) for match in found if match]


@pytest.mark.parametrize(("change", "line", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_its_line(change: tuple[str, str], line: int, message: str, tmp_path: Path) -> None:
    found = errors(changed(change), tmp_path)
    expected = re.compile("|".join(map(re.escape, message.split("|"))))
    assert any(at == line and expected.search(said) for at, said in found), found


def test_several_mistakes_are_reported_at_once_in_file_order(tmp_path: Path) -> None:
    changes = (
        ("[simba_res50]", "[vgg]"),
        ("epochs: 5", "epochs: -1"),
        ("recipe: paper", "recipe: papr"),
        ("{boxes: gt, when: {representation: simdr}}", "{boxes: dt}"),
        ("coco_val}", "x}"),
    )
    found = errors(changed(*changes), tmp_path)
    assert [line for line, _ in found] == [6, 10, 13, 16, 18]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a mapping"),
        ("- a\n- b", "expected a mapping"),
        ("&a [*a]", "an alias contains itself"),
        ("[" * 20_000, "nested too deeply"),
        ("a: \0", "control characters|special characters"),
    ],
    ids=["empty", "list", "alias in itself", "deep", "control character"],
)
def test_a_file_that_is_no_suite_is_refused(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "suite.yaml"
    file.write_text(text)
    with pytest.raises(SuiteError, match=message):
        load_suite(file)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\xfa")
    for file, message in [(tmp_path / "absent.yaml", "No such file"), (tmp_path, "directory"), (binary, "not a text")]:
        with pytest.raises(SuiteError, match=f"{re.escape(str(file))}: .*{message}"):
            load_suite(file)


# Texts near YAML, and documents near a suite: the example with one of its values replaced by anything.
yaml_text = st.text(st.sampled_from("ab1:-[]{},&*!|>'\"# \n\t\r\x85\u2028é~."), max_size=40) | st.text(max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
keys = st.sampled_from(["name", "when", "because", "epochs", "backbone", "sigma"]) | st.text(max_size=4)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=6
)
PLACES = [
    *[(key,) for key in ("name", "title", "dataset", "train", "evaluate", "tables")],
    *[("train", key) for key in ("axes", "only", "set", "exclude", "recipe")],
    *[("train", "axes", key) for key in ("backbone", "input_size", "milestones", "seed")],
    ("train", "set", 0),
    ("train", "set", 0, "when"),
    ("train", "exclude", 0),
    ("train", "exclude", 0, "when"),
    ("evaluate", 0),
    ("evaluate", 0, "when"),
    ("tables", 0),
    ("claims",),
]


def replaced(place: tuple[str | int, ...], value: Any) -> str:
    document = yaml.safe_load(SUITE)
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return yaml.safe_dump(document, allow_unicode=True)


near_suites = st.builds(replaced, st.sampled_from(PLACES), anything)


@settings(max_examples=300, deadline=None)
@given(text=yaml_text | near_suites)
def test_reading_raises_nothing_but_suite_errors_on_lines_of_the_file(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    file.write_bytes(text.encode("utf-8", "replace"))
    said = str(file)
    try:
        expand(load_suite(file))
    except SuiteError as error:
        said = str(error)
    assert str(file) in said
    lines = [int(line) for line in re.findall(rf"^{re.escape(str(file))}:(\d+):", said, re.MULTILINE)]
    # YAML may notice what is missing only at the end of the file, on the line after the last.
    assert all(1 <= line <= len(text.splitlines()) + 1 for line in lines)


def trainings(expansion: Expansion) -> list[TrainSpec]:
    return [cell.training for cell in expansion.cells]


def test_axes_multiply(tmp_path: Path) -> None:
    changes = (("[simba_res50]", "[simba_res50, hrnet_w32]"), ("[64x64]", "[64x64, 128x128]\n    seed: [0, 1, 2]"))
    found = trainings(expand(load(tmp_path, *changes)))
    assert len({spec.id for spec in found}) == len(found) == 2 * 2 * 2 * 3


def test_later_rules_win_and_see_what_earlier_ones_set(tmp_path: Path) -> None:
    rules = "- {epochs: 5}\n    - {when: {epochs: 5}, epochs: 7}\n    - {when: {representation: simdr}, epochs: 9}"
    heatmap, simdr = trainings(expand(load(tmp_path, ("- {epochs: 5}", rules))))
    assert (heatmap.epochs, simdr.epochs) == (7, 9)


def test_rules_win_over_the_recipe_and_axes_over_both(tmp_path: Path) -> None:
    changes = (("[64x64]", "[64x64]\n    epochs: [1, 2]"), ("{epochs: 5}", "{epochs: 5, learning_rate: 0.5}"))
    found = trainings(expand(load(tmp_path, *changes)))
    assert [spec.epochs for spec in found] == [1, 2, 1, 2]
    assert {spec.learning_rate for spec in found} == {0.5}


def test_settings_that_a_representation_ignores_make_no_new_training(tmp_path: Path) -> None:
    found = trainings(expand(load(tmp_path, ("[64x64]", "[64x64]\n    split_ratio: [1, 2, 3]"))))
    assert [(spec.representation, spec.codec.get("split_ratio")) for spec in found] == [
        ("heatmap", None),
        ("simdr", 1),
        ("simdr", 2),
        ("simdr", 3),
    ]
    assert set(found[0].codec) == {"sigma", "heatmap_center", "weight_bounds"}
    assert set(found[1].codec) == {"split_ratio", "label_smoothing", "loss_reduction"}


def test_exclusions_come_with_their_reason(tmp_path: Path) -> None:
    expansion = expand(load(tmp_path, ("[simba_res50]", "[simba_res50, hrnet_w48]")))
    assert {spec.backbone for spec in trainings(expansion)} == {"simba_res50"}
    assert [(axes["backbone"], axes["representation"], why) for axes, why in expansion.excluded] == [
        ("hrnet_w48", "heatmap", "too big"),
        ("hrnet_w48", "simdr", "too big"),
    ]


def test_combinations_that_no_condition_wants_are_no_cells(tmp_path: Path) -> None:
    def found(*conditions: str) -> list[tuple[str, int]]:
        only = f"  only: [{', '.join(f'{{when: {{{condition}}}}}' for condition in conditions)}]\n  set:"
        expansion = expand(load(tmp_path, ("[64x64]", "[64x64]\n    seed: [0, 1, 2]"), ("  set:", only)))
        assert not expansion.excluded, "they are no part of the suite"
        return [(spec.representation, spec.seed) for spec in trainings(expansion)]

    assert found("representation: simdr, seed: [0, 2]", "seed: 1") == [
        ("heatmap", 1), ("simdr", 0), ("simdr", 1), ("simdr", 2),
    ]  # fmt: skip
    with pytest.raises(SuiteError, match="no combination of the axes meets an entry of `only`"):
        found("seed: 7")
    with pytest.raises(SuiteError, match=r"unknown setting 'sed'.*did you mean|unknown setting 'sed'"):
        found("sed: 7")


def test_lists_of_an_evaluation_multiply_and_simdr_has_no_post_processing(tmp_path: Path) -> None:
    both = "{boxes: [gt, detector], post_process: [quarter, none], when: {representation: %s}}"
    changes = [(f"{{boxes: gt, when: {{representation: {name}}}}}", both % name) for name in ("heatmap", "simdr")]
    heatmap, simdr = expand(load(tmp_path, *changes)).cells
    ways = [(spec.boxes, spec.post_process) for spec in heatmap.evaluations]
    assert ways == [("gt", "quarter"), ("gt", "none"), ("detector", "quarter"), ("detector", "none")]
    assert [(spec.boxes, spec.post_process) for spec in simdr.evaluations] == [("gt", "none"), ("detector", "none")]
    assert {spec.training for spec in simdr.evaluations} == {simdr.training.id}


def test_conditions_of_an_evaluation_see_the_recipe(tmp_path: Path) -> None:
    change = ("{boxes: gt, when: {representation: heatmap}}", "{boxes: gt, when: {post_process: quarter}}")
    heatmap, _ = expand(load(tmp_path, change)).cells
    assert [spec.post_process for spec in heatmap.evaluations] == ["quarter"]


def test_a_cell_without_evaluation_or_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="no entry of `evaluate` applies to simba_res50 heatmap 64x64"):
        expand(load(tmp_path, ("  - {boxes: gt, when: {representation: heatmap}}\n", "")))
    with pytest.raises(
        SuiteError, match=r"cell backbone=simba_res50, representation=heatmap.*: sigma: .* positive|sigma"
    ):
        expand(load(tmp_path, ("epochs: 5", "sigma: -1")))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("replicas: 4, world_size: 3", "3 processes cannot divide a batch of 4 replicas.*: 1, 2, 4 and multiples of 4"),
        ("replicas: 2, world_size: 4, batch_size: 3", "a batch_size of 3 leaves some of 4 processes nothing to do"),
    ],
)
def test_processes_that_cannot_share_the_batches_are_refused(settings: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=message):
        expand(load(tmp_path, ("epochs: 5", settings)))


GIVEN = ("title: An example", f"title: An example\nweights: {{a/b.pth: {64 * 'a'}, c.pth: {64 * 'c'}}}")


def test_given_weights_are_known_by_their_contents(tmp_path: Path) -> None:
    rules = (
        "epochs: 0, initialization: checkpoint, weights: a/b.pth}\n    - {when: {representation: simdr}, weights: c.pth"
    )
    heatmap, simdr = trainings(expand(load(tmp_path, GIVEN, ("epochs: 5", rules))))
    assert (heatmap.weights, simdr.weights) == (64 * "a", 64 * "c")
    assert (heatmap.selection, heatmap.selection_split) == ("final", None), "without epochs there is no best one"
    moved = (GIVEN[0], GIVEN[1].replace("a/b.pth", "elsewhere.pth"))
    assert expand(load(tmp_path, moved, ("epochs: 5", rules.replace("a/b.pth", "elsewhere.pth")))) == expand(
        load(tmp_path, GIVEN, ("epochs: 5", rules))
    )


def test_given_weights_can_be_an_axis_and_a_condition(tmp_path: Path) -> None:
    axis = ("[64x64]", "[64x64]\n    weights: [a/b.pth, c.pth]")
    rules = "epochs: 0, initialization: checkpoint}\n    - {when: {weights: c.pth}, color_order: rgb"
    suite = load(tmp_path, GIVEN, axis, ("epochs: 5", rules), ("{backbone: hrnet_w48}", "{weights: [a/b.pth]}"))
    assert [(spec.weights, spec.color_order) for spec in trainings(expand(suite))] == [(64 * "c", "rgb")] * 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("weights: a/b.pth", r"`initialization: checkpoint` \(or trunk\) and `weights: FILE` go together"),
        ("initialization: checkpoint", r"`initialization: checkpoint` \(or trunk\) and `weights: FILE` go together"),
        ("epochs: 0", "`epochs: 0` measures given weights as they are"),
        (
            "weights: a/c.pth",
            r"example.yaml:11: unknown weights 'a/c.pth' \(did you mean 'a/b.pth'\?\); valid: a/b.pth, c",
        ),
        (f"weights: {64 * 'a'}", "example.yaml:11: unknown weights 'aaa"),
        ("weights: 3", "example.yaml:11: weights: Input should be a valid string, found 3"),
    ],
)
def test_half_declared_weights_are_refused(settings: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=message):
        expand(load(tmp_path, GIVEN, ("epochs: 5", settings)))


@pytest.mark.parametrize("evaluator", ["crowdpose", "pckh"])
def test_an_evaluator_of_another_protocol_is_refused(evaluator: str, tmp_path: Path) -> None:
    change = ("{boxes: gt, when: {representation: simdr}}", f"{{boxes: gt, evaluator: {evaluator}}}")
    with pytest.raises(SuiteError) as caught:
        load(tmp_path, change)
    expected = (
        f"evaluator: {evaluator!r} does not score coco, whose protocol is coco; valid: pycocotools, hotcoco,"
        " box_areas, visible_keypoints"
    )
    assert str(caught.value) == f"{tmp_path / 'example.yaml'}:16: {expected}"


def test_the_evaluator_follows_from_the_protocol(tmp_path: Path) -> None:
    plain, named = (
        expand(load(tmp_path, *changes)).cells[-1].evaluations[0]
        for changes in ((), (("{boxes: gt, when: {representation: simdr}}", "{boxes: gt, evaluator: pycocotools}"),))
    )
    assert (plain.evaluator, plain.id) == ("pycocotools", named.id)


OTHER_TRAINING = {
    "dataset": "lspet", "definition": None, "split": "x", "subset": 3, "backbone": "hrnet_w32",
    "representation": "simdr_star", "input_size": "128x64", "train_subset": 7, "held_out": 2,
    "pixel_alignment": "unbiased", "backbone_settings": {}, "upsample": None, "maps_per_keypoint": None,
    "codec": {"split_ratio": 1.5, "sigma": 4.0, "weight_bounds": "exact"}, "warmup_steps": 1,
    "selection": "final", "selection_split": "x",
    "seed": 1, "initialization": "kaiming", "weights": None, "epochs": 1, "batch_size": 2, "replicas": 1,
    "world_size": 2, "learning_rate": 1.0, "learning_rate_factor": 0.2, "milestones": (1,), "milestone_timing": "exact",
    "color_order": "rgb", "flip_probability": 0.1, "scale_factor": 0.1, "rotation_factor": 1.0,
    "rotation_probability": 0.1, "half_body_probability": 0.1, "half_body_min_keypoints": 1,
    "half_body_coin": "uniform",
}  # fmt: skip
OTHER_EVALUATION = {
    "training": "x", "split": "x", "subset": 3, "boxes": "detector", "flip_test": False, "flip_shift": "exact",
    "post_process": "dark", "decoding": {"blur_cells": 7}, "instance_score": "rle",
    "evaluator": "pckh", "score_threshold": 0.5, "nms_threshold": 0.5, "batch_size": 1,
}  # fmt: skip
SINGLE_VALUED = {"precision", "backbone_settings"}
TOGETHER = {
    "backbone": {"upsample": None},
    "representation": {"codec": OTHER_TRAINING["codec"]},
    "codec": {"codec": {"split_ratio": 1.5, "label_smoothing": 0.1, "loss_reduction": "sum"}},
    "upsample": {"upsample": False, "maps_per_keypoint": 4},
    "maps_per_keypoint": {"upsample": False, "maps_per_keypoint": 5},
}
"""What changes with a field, or instead of its other value, so that the example's other fields fit."""

WEIGHTS = {"initialization": "checkpoint", "weights": 64 * "0"}


def test_ids_last() -> None:
    """A new id orphans every result stored so far.

    If a field is added, removed or changes its meaning, raise SCHEMA_VERSION in bench.suite.specs, so that old results
    cannot be mistaken for new ones, and write the new ids here.
    """
    assert TrainSpec(**OTHER_TRAINING, precision="float32").id == "c65f44a0f10f"
    assert EvalSpec(**OTHER_EVALUATION, precision="float32").id == "db2990c10d45"


@pytest.mark.parametrize(
    ("make", "others", "kind"),
    [(example_training, OTHER_TRAINING, TrainSpec), (example_evaluation, OTHER_EVALUATION, EvalSpec)],
)
def test_every_field_is_part_of_the_identity(make: Any, others: dict[str, Any], kind: Any, tmp_path: Path) -> None:
    assert set(others) | SINGLE_VALUED >= set(kind.model_fields), "a new field needs another value here"
    alone = {name: value for name, value in others.items() if value is not None and name not in SINGLE_VALUED}
    names = [*alone, *(TOGETHER if kind is TrainSpec else ())]
    changes = [({name: alone[name]} if name in alone else {}) | TOGETHER.get(name, {}) for name in dict.fromkeys(names)]
    changes += [WEIGHTS, WEIGHTS | {"weights": 64 * "1"}] if kind is TrainSpec else []
    ids = [make(tmp_path).id, *(make(tmp_path, **change).id for change in changes)]
    assert len(set(ids)) == len(ids)
    assert SINGLE_VALUED & set(kind.model_fields) <= set(make(tmp_path).model_dump(mode="json"))


def test_the_order_of_fields_is_no_part_of_the_identity(tmp_path: Path) -> None:
    spec = example_training(tmp_path)
    backwards = dict(reversed(spec.model_dump().items()))
    assert TrainSpec.model_validate(backwards).id == spec.id


def test_a_whole_number_and_its_decimal_form_are_one_value(tmp_path: Path) -> None:
    values = dict(example_training(tmp_path).codec)
    assert example_training(tmp_path, codec=values | {"split_ratio": 3}).id == (
        example_training(tmp_path, codec=values | {"split_ratio": 3.0}).id
    )


def test_margins_are_in_the_units_of_records_and_have_a_default(tmp_path: Path) -> None:
    (table,) = load(tmp_path).tables
    assert table.margin_of("AP") == table.margin_of("mean_oks") == 0.005
    (table,) = load(tmp_path, ("coco_val}", "coco_val, margin: 0.01}")).tables
    assert table.margin_of("AP") == 0.01


def test_keys_of_earlier_versions_are_read(tmp_path: Path) -> None:
    now = read_yaml_text(tmp_path, "train: {set: [{initialization: kaiming, half_body_min_keypoints: 3}]}")
    assert read_yaml_text(tmp_path, "train: {set: [{initialisation: kaiming, half_body_min_joints: 3}]}") == now
    assert read_yaml_text(tmp_path, "{joints: [nose]}") == {"keypoints": ["nose"]}


def read_yaml_text(folder: Path, text: str) -> Any:
    file = folder / "suite.yaml"
    file.write_text(text)
    return read_yaml(file).data
