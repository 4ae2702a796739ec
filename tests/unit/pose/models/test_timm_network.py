"""timm's models as backbones: first-class families, against our own networks, and what cannot be had."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.conformance.kinds import Surroundings, find_kind
from bench.pose.errors import BenchError, CheckpointError, UnknownNameError
from bench.pose.input_size import InputSize
from bench.pose.models import timm_names
from bench.pose.models.backbone import BACKBONES
from bench.pose.models.batch_norm import ReplicaBatchNorm2d
from bench.pose.models.build import build_model, initialize, load_trunk
from bench.pose.models.heads import MapModel, PoseModel
from bench.pose.models.network import NetworkShape
from bench.pose.models.timm_names import timm
from bench.pose.models.timm_trunk import adapt_classifier
from bench.pose.outputs import Coordinates

SIZE = (64, 96)
KEYPOINTS = 5

FAMILIES = {
    "resnet18": (512, 32),
    "mobilenetv3_small_100": (576, 32),
    "convnext_atto": (320, 32),
    "tf_efficientnet_lite0": (320, 32),
    "vit_tiny_patch16_224": (192, 16),
    "hrnet_w32": (32, 4),
    "swin_tiny_patch4_window7_224": (768, 32),
}
"""Channels and stride of the features of a model of each family; the last puts channels last."""


def build(model: str, representation: str = "heatmap", **form: object) -> PoseModel:
    form = {"split_ratio": 2.0} | form if representation == "simdr" else form
    return build_model(f"timm/{model}", representation, keypoints=KEYPOINTS, input_size=SIZE, **form)


def images(count: int = 2) -> Tensor:
    return torch.randn(count, 3, *SIZE, generator=torch.Generator().manual_seed(0))


def features(network: PoseModel, batch: Tensor) -> Tensor:
    with torch.no_grad():
        return network.eval().feature_maps(batch)


@pytest.mark.parametrize("model", FAMILIES)
def test_each_family_gives_maps_and_coordinates(model: str) -> None:
    channels, stride = FAMILIES[model]
    height, width = SIZE
    with torch.device("meta"):
        plain = build(model, "simdr", upsample=False).eval()
        maps, coordinates = build(model).eval()(torch.zeros(2, 3, *SIZE)), plain(torch.zeros(2, 3, *SIZE))
        trunk = plain.feature_maps(torch.zeros(2, 3, *SIZE))
    assert maps.shape == (2, KEYPOINTS, height // 4, width // 4)
    assert isinstance(coordinates, Coordinates)
    assert coordinates.x.shape == (2, KEYPOINTS, 2 * width)
    assert trunk.shape == (2, channels, height // stride, width // stride)


def test_the_same_weights_give_the_features_of_our_resnet() -> None:
    torch.manual_seed(0)
    own = build_model("simba_res18", "heatmap", keypoints=KEYPOINTS, input_size=SIZE)
    theirs = build("resnet18")
    initialize(own, scheme="kaiming")
    weights = {
        name if name.startswith(("deconv", "final")) else f"body.{name}": v for name, v in own.state_dict().items()
    }
    theirs.load_state_dict(weights)
    with torch.no_grad():
        torch.testing.assert_close(theirs.eval()(images()), own.eval()(images()))


def test_the_same_weights_give_the_features_of_our_hrnet() -> None:
    torch.manual_seed(0)
    own, theirs = build_model("hrnet_w32", "heatmap", keypoints=KEYPOINTS, input_size=SIZE), build("hrnet_w32")
    initialize(own, scheme="kaiming")
    load_trunk(theirs, own.state_dict())
    torch.testing.assert_close(features(theirs, images()), features(own, images()))
    assert sum(value.numel() for value in own.parameters()) == sum(value.numel() for value in theirs.parameters())


@pytest.mark.parametrize("model", ["mobilenetv3_small_100", "vit_tiny_patch16_224"])
def test_initialization_depends_on_the_seed_alone(model: str) -> None:
    drawn = []
    for seed in (1, 1, 2):
        network = build(model)
        with torch.no_grad():
            for value in network.state_dict().values():
                value.fill_(7)  # earlier weights and statistics must leave no trace
        torch.manual_seed(seed)
        initialize(network, scheme="kaiming")
        drawn.append(network.state_dict())
    assert all(torch.equal(value, drawn[1][name]) for name, value in drawn[0].items())
    assert not all(torch.equal(value, drawn[2][name]) for name, value in drawn[0].items())


def test_kaiming_counts_the_outputs_of_a_group() -> None:
    torch.manual_seed(0)
    network = build("mobilenetv3_small_100")
    initialize(network, scheme="kaiming")
    layer = network.body.blocks[4][0].conv_dw
    assert layer.groups == layer.out_channels
    assert layer.weight.std().item() == pytest.approx((2 / 25) ** 0.5, rel=0.1)


@pytest.mark.parametrize("model", ["mobilenetv3_small_100", "tf_efficientnet_lite0"])
def test_normalization_is_given_and_activates_as_before(model: str) -> None:
    torch.manual_seed(0)
    plain = build(model)
    replicas = build(model, replicas=2)
    layers = [layer for layer in replicas.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert all(isinstance(layer, ReplicaBatchNorm2d) and layer.replicas == 2 for layer in layers)
    initialize(plain, scheme="kaiming")
    replicas.load_state_dict(plain.state_dict())
    whole = timm().create_model(model, features_only=True, out_indices=(-1,))
    whole.load_state_dict({name.removeprefix("body."): v for name, v in plain.state_dict().items() if "body." in name})
    batch = images()
    normalized = batch if plain.scale is None else batch * plain.scale + plain.shift
    with torch.no_grad():
        expected = whole.eval()(normalized)[-1]
        for network in (plain, replicas):
            torch.testing.assert_close(network.eval().body(normalized)[-1], expected)


def test_images_get_the_normalization_of_the_weights() -> None:
    network = build("vit_tiny_patch16_224")
    grey = (0.5 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    renormalized = grey[:, None, None] * network.scale + network.shift
    torch.testing.assert_close(renormalized, torch.zeros(3, 1, 1), atol=1e-6, rtol=0)
    assert build("resnet18").scale is None


def test_nothing_is_dropped_at_random() -> None:
    network = build("swin_tiny_patch4_window7_224").train()
    with torch.no_grad():
        assert torch.equal(network(images()), network(images()))


def test_features_of_an_earlier_stage_leave_the_later_ones_out() -> None:
    narrow = {"feature_stride": 16, "upsampling_channels": 64}
    whole, part = (build("resnet18", "simdr", backbone_settings=settings).eval() for settings in ({}, narrow))
    own = timm().create_model("resnet18", pretrained=False).state_dict()
    load_trunk(part, own)
    loaded = part.body.state_dict()
    assert {name.removeprefix("model.") for name in loaded} < own.keys()
    assert not any("layer4" in name for name in loaded)
    assert all(torch.equal(value, own[name.removeprefix("model.")]) for name, value in loaded.items())
    assert (part.cells, len(part.deconv_layers), len(whole.deconv_layers)) == ((4, 6), 2 * 3, 3 * 3)
    assert part.deconv_layers[0].weight.shape == (256, 64, 4, 4)
    with torch.no_grad():
        assert part(images()).x.shape == whole(images()).x.shape
    for model, stride, said in (("resnet18", 64, "valid: 2, 4, 8, 16, 32"), ("hrnet_w32", 16, "no choice of")):
        with pytest.raises(ValueError, match=said):
            build(model, backbone_settings={"feature_stride": stride})


def test_output_stride_where_the_model_has_a_choice() -> None:
    with torch.device("meta"):
        network = build("resnet18", "simdr", upsample=False, backbone_settings={"output_stride": 16}).eval()
        assert network.feature_maps(torch.zeros(1, 3, *SIZE)).shape == (1, 512, 4, 6)
    for model in ("vit_tiny_patch16_224", "hrnet_w32"):
        with pytest.raises(
            ValueError, match=rf"timm/{model} has no feature maps of output_stride 8 of inputs of 64x96"
        ):
            build(model, backbone_settings={"output_stride": 8})
    with pytest.raises(ValueError, match=r"output_stride: 'wide' is not valid"):
        build("resnet18", backbone_settings={"output_stride": "wide"})
    with pytest.raises(ValueError, match=r"has no setting 'stride'; valid: output_stride, feature_stride, upsampl"):
        build("resnet18", backbone_settings={"stride": 8})


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("levit_128", "has cells of 64 px, which do not divide inputs of 64x96"),
        ("vit_small_patch14_dinov2", "has cells of 14 px, which do not divide inputs of 64x96"),
        ("nest_tiny", r"has no feature maps of inputs of 64x96 \(AssertionError: Model only handles square"),
    ],
)
def test_models_that_cannot_be_used_say_why(model: str, message: str) -> None:
    with pytest.raises(ValueError, match=message), torch.device("meta"):
        build(model)(torch.zeros(1, 3, *SIZE))


def test_batch_normalization_of_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match=r"timm/levit_128: .* is a BatchNorm1d; only batch normalization of maps"):
        build_model("timm/levit_128", "heatmap", keypoints=KEYPOINTS, input_size=(64, 64))


# Names.


def test_names_are_those_of_timm() -> None:
    names = timm_names.model_names(timm_names.require_timm("timm/resnet18"))
    assert {name for name in names if "." not in name} == set(timm().list_models())
    for name in set(timm().list_models(pretrained=True)) - names:
        timm_names.check_name(f"timm/{name}")


def test_names_are_looked_up_without_torch() -> None:
    code = (
        "import sys; from bench.planning.predicted_complexity import predict;"
        "predict('timm/tf_efficientnet_lite0', 'simdr', keypoints=17, input_size=(256, 192), split_ratio=2);"
        "sys.exit('torch' in sys.modules or 'timm' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["timm/resnot18", "timm/resnet18.a9_in1k"])
def test_an_unknown_model_names_the_nearest(name: str) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown backbone 'timm/.*did you mean 'timm/resnet18.*timm/NAME"):
        BACKBONES.named(name)
    assert BACKBONES[name].title == name, "a report of results names it all the same"


def test_another_backbone_is_told_of_the_family() -> None:
    with pytest.raises(UnknownNameError, match="timm/NAME"):
        BACKBONES.named("resnet18")
    for name in ("timm/", "timm"):
        assert name not in BACKBONES
    assert "timm/NAME" in BACKBONES.listed()
    assert not [name for name in BACKBONES if "/" in name]


def test_conform_finds_models_by_name() -> None:
    assert find_kind("timm/resnet18", None, Surroundings(Path("data"))).registry is BACKBONES
    with pytest.raises(UnknownNameError, match="did you mean 'timm/resnet18"):
        find_kind("timm/resnot18", None, Surroundings(Path("data")))


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timm_names.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(BenchError, match=r"timm/resnet26 needs the package timm: pip install 'simdr-bench\[timm\]'"):
        timm_names.check_name("timm/resnet26")


# Weights.


@pytest.mark.parametrize("model", ["resnet18.a1_in1k", "convnext_atto", "vit_tiny_patch16_224", "hrnet_w18_small"])
def test_a_classifier_of_timm_gives_its_features(model: str) -> None:
    torch.manual_seed(0)
    whole = timm().create_model(model).eval()
    network = build(model, "simdr", upsample=False)
    load_trunk(network, whole.state_dict())
    loaded = network.state_dict()
    by_name = {name.replace(".", "_"): value for name, value in whole.state_dict().items()}
    for name, value in loaded.items():
        own = name.removeprefix("body.").removeprefix("model.").replace(".", "_")
        if name.startswith("body.") and "pos_embed" not in name:
            assert torch.equal(value, by_name[own]), name


def test_positions_are_brought_to_the_size_of_the_input() -> None:
    torch.manual_seed(0)
    whole = timm().create_model("vit_tiny_patch16_224")
    network = build("vit_tiny_patch16_224")
    found = adapt_classifier("vit_tiny_patch16_224", network.input_size, network.body, whole.state_dict())
    assert found["model.pos_embed"].shape == (1, 1 + 4 * 6, 192)
    torch.testing.assert_close(found["model.pos_embed"][:, 0], whole.pos_embed[:, 0])


def test_weights_of_another_network_are_refused() -> None:
    network = build("resnet18")
    with pytest.raises(CheckpointError, match=r"lack entries of the backbone: body\.conv1\.weight"):
        load_trunk(network, {"stem.weight": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"timm/vit_tiny_patch16_224|lack entries"):
        load_trunk(build("vit_tiny_patch16_224"), {"patch_embed.proj.weight": torch.zeros(3)})


def test_a_trained_network_gives_its_trunk_to_another() -> None:
    torch.manual_seed(0)
    source, target = build("resnet18"), build("resnet18", "simdr")
    load_trunk(target, source.state_dict())
    assert torch.equal(target.body.conv1.weight, source.body.conv1.weight)


def test_a_child_called_features_does_not_hide_the_method() -> None:
    class Own(MapModel):
        def __init__(self, shape: NetworkShape) -> None:
            super().__init__(shape, channels=8)
            self.features = nn.Conv2d(3, 8, 4, stride=4)

        def feature_maps(self, images: Tensor) -> Tensor:
            return self.features(images)

    assert Own(NetworkShape(KEYPOINTS, InputSize(*SIZE)))(images()).shape == (2, KEYPOINTS, 16, 24)
