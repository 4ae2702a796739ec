"""Trainings and evaluations as values with an identity.

A spec states everything that decides its result and nothing else: paths, worker counts and resources are left out.
Its id is a hash of the full canonical JSON with a schema version, never of a difference against defaults.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, Self, Union

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from bench.files import STORED
from bench.pose.codecs.representation import REPRESENTATIONS, FlipShift, PostProcess, codec_kinds
from bench.pose.data.datasets import DatasetInfo
from bench.pose.declared_settings import Settings, check_value, kind_type
from bench.pose.evaluator_names import EvaluatorName
from bench.pose.models.backbone import BACKBONES, has_choice_of_upsampling, network_shape
from bench.pose.models.network import INITIALIZATIONS, NetworkForm
from bench.pose.shares import Share
from bench.suite.definition import Definition
from bench.suite.spec_values import (
    Count,
    Hash,
    Name,
    OwnSettings,
    Positive,
    Probability,
    Seed,
    Size,
    SpecPart,
    one_of,
    registered,
)
from bench.suite.suite_dataset import check_dataset, describe_dataset

SCHEMA_VERSION = 6
"""Raised whenever the meaning of a spec changes, so that old results are not mistaken for new ones."""

ID_LENGTH = 12

TITLED = ("backbone", "representation", "input_size", "seed")
"""Settings that every title of a training has."""

FROM_FILE = ("checkpoint", "trunk")
"""Initializations from the file that `weights` names."""

CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


class _Identified(SpecPart):
    @property
    def id(self) -> str:
        """Hash of the canonical JSON of this spec."""
        return _identify(self)


@cache
def _identify(spec: _Identified) -> str:
    """Remembered by value: plans ask for the id of each spec a dozen times."""
    return _hash(spec.model_dump(mode="json"), SCHEMA_VERSION)


def schema_of(fields: Mapping[str, Any], spec_id: str) -> int | None:
    """The schema version, of all there have been, under which a stored spec's fields have an id; None for none."""
    versions = range(1, SCHEMA_VERSION + 1)
    return next((version for version in versions if _hash(fields, version) == spec_id), None)


def _hash(fields: Mapping[str, Any], schema: int) -> str:
    """Hash of the canonical JSON: sorted keys, no white space, and the schema version."""
    return hashlib.sha256(CANONICAL.encode({**fields, "schema": schema}).encode()).hexdigest()[:ID_LENGTH]


class TrainSpec(_Identified):
    """One set of weights to train.

    Settings that are not listed here are those of `Augmentation`, `OptimizerConfig` and `CropSettings`.

    Attributes:
        dataset: by name.
        definition: of a dataset that its suite defines; not written where there is none.
        split: to train on.
        subset: number of images of this and of the selection split that are used, see `first_images`; None for all.
        held_out: number of images of the training split, the first ones, that are not trained on, so that settings can
            be chosen on them; None for none. Where the selection split is the training split, these are validated on.
        train_subset: number of the other instances of the training split that are used, see `first_instances`; None for
            all.
        backbone: of the network.
        backbone_settings: what the backbone declares for itself and a suite sets.
        upsample: whether maps are brought to stride 4 by layers that learn to; None where there is no choice.
        maps_per_keypoint: maps from which each keypoint's coordinates are read without upsampling; else None.
        representation: of keypoints.
        codec: the settings that the representation declares, such as `split_ratio`. In suites and tables they stand
            beside the others, see `settings`.
        input_size: height and width of the crops in px, multiples of 32, written as HxW.
        initialization: "imagenet", "checkpoint" for given weights, "trunk" for the backbone's part of them, or how to
            draw them, see `initialize`.
        weights: sha256 of the file that `initialization: checkpoint` or `trunk` starts from; with 0 epochs it is
            measured as it is. Suites name the file.
        epochs: passes over the instances.
        replicas: devices whose separate batch statistics are reproduced (behaviour T4).
        world_size: processes that work on it together: they divide its batches as `Share` says.
        selection: the weights to keep: of the best epoch by the selection split, or the final ones.
        selection_split: validated on after every epoch, where the best is kept.
    """

    dataset: Name
    definition: Definition | None = None
    split: str
    subset: Count | None
    held_out: Count | None
    train_subset: Count | None
    backbone: Annotated[str, registered(BACKBONES)]
    backbone_settings: OwnSettings
    upsample: bool | None
    maps_per_keypoint: Count | None
    representation: Annotated[str, registered(REPRESENTATIONS)]
    codec: OwnSettings
    input_size: Size
    seed: Seed
    initialization: Annotated[str, one_of("initialization", ("imagenet", *FROM_FILE, *INITIALIZATIONS))]
    weights: Hash | None
    epochs: Annotated[int, Field(ge=0)]
    batch_size: Count
    replicas: Count
    world_size: Count
    learning_rate: Positive
    learning_rate_factor: Positive
    milestones: Annotated[tuple[int, ...], Field(strict=False)]
    milestone_timing: Literal["reference", "exact"]
    warmup_steps: Annotated[int, Field(ge=0)]
    color_order: Literal["rgb", "bgr"]
    pixel_alignment: Literal["corner", "unbiased"]
    flip_probability: Probability
    scale_factor: Probability
    rotation_factor: Annotated[float, Field(ge=0, le=180)]
    rotation_probability: Probability
    half_body_probability: Probability
    half_body_min_keypoints: Annotated[int, Field(ge=0)]
    half_body_coin: Literal["normal", "uniform"]
    selection: Literal["best", "final"]
    selection_split: str | None
    precision: Literal["float32", "bfloat16"]

    @model_serializer(mode="wrap")
    def _leave_out_no_definition(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A registered dataset is its name."""
        fields: dict[str, Any] = handler(self)
        return fields if self.definition is not None else {k: v for k, v in fields.items() if k != "definition"}

    @field_validator("codec", mode="after")
    @classmethod
    def _check_codec(cls, values: Settings, info: ValidationInfo) -> Settings:
        """Each setting that the representation declares, and no other, in its own type."""
        if info.context is STORED or "representation" not in info.data:
            return values
        name, declared = info.data["representation"], REPRESENTATIONS[info.data["representation"]].settings
        for other in values:
            if other not in declared:
                raise ValueError(f"{name} has no setting {other!r}; valid: {', '.join(declared) or 'it has none'}")
        for setting in declared:
            if setting not in values:
                raise ValueError(f"{setting} has no value; give it one under `set`, or make it an axis")
        return Settings({setting: check_value(setting, values[setting], kind) for setting, kind in declared.items()})

    @model_validator(mode="after")
    def _check_combination(self, info: ValidationInfo) -> Self:
        """Refuse networks that do not exist, a selection on nothing, and processes without work."""
        check_dataset(self.dataset, self.definition, info)
        if (self.initialization in FROM_FILE) != (self.weights is not None):
            raise ValueError("`initialization: checkpoint` (or trunk) and `weights: FILE` go together")
        if self.epochs == 0 and self.initialization != "checkpoint":
            raise ValueError("`epochs: 0` measures given weights as they are: it needs `initialization: checkpoint`")
        if self.selection == "best" and self.selection_split is None:
            raise ValueError("selection: best needs a selection_split to validate on after every epoch")
        if info.context is not STORED:
            network_shape(self.backbone, self.representation, **self.form)
            if has_choice_of_upsampling(self.backbone, self.representation) != (self.upsample is not None):
                raise ValueError("upsample has no value; give it one under `set`, or make it an axis")
            if self.upsample is False and self.maps_per_keypoint is None:
                raise ValueError("maps_per_keypoint has no value, which upsample: false needs")
        Share(self.replicas, size=self.world_size)
        if self.batch_size < self.world_size:
            raise ValueError(
                f"a batch_size of {self.batch_size} leaves some of {self.world_size} processes nothing to do"
            )
        return self

    @property
    def data(self) -> DatasetInfo:
        """What is known of the dataset. Raises `UnknownNameError` if its extension is not loaded."""
        return describe_dataset(self.dataset, self.definition)

    @property
    def selection_subset(self) -> int | None:
        """Number of images of the selection split that are validated on; None for all."""
        return self.held_out if self.held_out and self.selection_split == self.split else self.subset

    @property
    def settings(self) -> dict[str, Any]:
        """All settings by name, those of the representation among them."""
        return {**{name: value for name, value in self if name != "codec"}, **self.codec}

    def title(self, axes: Iterable[str] = ()) -> str:
        """The training in words, with its values on those of `axes` that do not speak for themselves."""
        words = f"{self.backbone} {self.representation} {self.input_size} seed {self.seed}"
        settings = self.settings
        others = [f"{name}={settings[name]}" for name in axes if name not in TITLED and settings.get(name) is not None]
        return ", ".join([words, *others])

    @property
    def form(self) -> NetworkForm:
        """Its network's, see `network_shape`. Raises `UnknownNameError` if the dataset's extension is not loaded."""
        ratio = self.codec.get("split_ratio")
        return NetworkForm(
            keypoints=self.data.skeleton.size,
            input_size=self.input_size,
            split_ratio=None if ratio is None else float(ratio),
            upsample=self.upsample,
            maps_per_keypoint=self.maps_per_keypoint,
            backbone_settings=self.backbone_settings,
        )


class EvalSpec(_Identified):
    """One way to measure one training.

    Attributes:
        training: id of the training.
        split: of the training's dataset.
        subset: number of its images that are used; None for all.
        boxes: "gt" for annotated boxes, "detector" for the dataset's detector boxes.
        flip_test: average with the prediction on the flipped crop.
        flip_shift: see `CodecSettings`.
        post_process: refinement of peaks, see `PostProcess`; "none" where a representation has no other.
        decoding: other settings of evaluations that the representation declares.
        instance_score: from keypoints and box, see `bench.pose.evaluation.EvalConfig`.
        score_threshold: keypoints above it count in an instance's score.
        nms_threshold: OKS above which the weaker of two instances goes.
        batch_size: instances per forward pass.
        precision: of the forward pass, see `bench.pose.precision`.
        evaluator: that computes the metrics: the one of record of the dataset's protocol, or another that `EVALUATORS`
            has for it.
    """

    training: str
    split: str
    subset: Count | None
    boxes: Literal["gt", "detector"]
    flip_test: bool
    flip_shift: FlipShift
    post_process: PostProcess
    decoding: OwnSettings
    instance_score: Literal["mean", "rle"]
    score_threshold: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    nms_threshold: Probability
    batch_size: Count
    precision: Literal["float32", "bfloat16"]
    evaluator: EvaluatorName

    @property
    def settings(self) -> dict[str, Any]:
        """All settings by name, those of the representation among them, without the training."""
        return {**{name: value for name, value in self if name not in {"training", "decoding"}}, **self.decoding}


def evaluation_key(name: str) -> str:
    """Name of an evaluation's setting in a table row: its own, unless trainings have a setting of that name.

    An evaluation's `split`, `subset`, `batch_size` and `precision` are `evaluation_split` and so on; the others keep
    their names.
    """
    return f"evaluation_{name}" if name in TrainSpec.model_fields else name


def shared_settings(training: TrainSpec, evaluation: EvalSpec) -> dict[str, Any]:
    """All settings of a table row, which its seeds share; see `evaluation_key` for the names of the evaluation's."""
    trained = {name: value for name, value in training.settings.items() if name not in {"seed", "definition"}}
    return trained | {evaluation_key(name): value for name, value in evaluation.settings.items()}


def setting_type(name: str) -> Any:
    """The type of a setting by its name in a table row; None if there is no such setting."""
    fields = {evaluation_key(field): info for field, info in EvalSpec.model_fields.items()} | TrainSpec.model_fields
    if name in fields:
        return fields[name].rebuild_annotation()
    kinds = codec_kinds().get(name) or codec_kinds(decoding=True).get(name)
    return None if kinds is None else Union[tuple(map(kind_type, kinds))]  # noqa: UP007 (of a tuple)
